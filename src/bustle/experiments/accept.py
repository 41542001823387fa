"""`bustle accept`: a site's acceptance test of a model, and of the next one after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from bustle.core.claimed_output import claim_folder
from bustle.core.files import remove_file
from bustle.core.provenance import provenance
from bustle.core.run_layout import ScoredFolder
from bustle.core.types import Collection
from bustle.evaluation.acceptance import judge, overall
from bustle.evaluation.acceptance_file import (
    Acceptance,
    GivenAnswer,
    TestedModel,
    read_acceptance,
    write_acceptance,
)
from bustle.evaluation.case_table import read_cases
from bustle.evaluation.figures import Estimates, estimates_of
from bustle.evaluation.results import TrackResult
from bustle.experiments.evaluate import evaluate_model
from bustle.experiments.limits_file import read_limits
from bustle.experiments.own_outputs import ACCEPTANCE, ACCEPTANCE_PAGE, ACCEPTANCE_RECORD, EVALUATION_FOLDER
from bustle.experiments.reader_findings import tell_findings
from bustle.experiments.resampling_groups import group_rule
from bustle.experiments.run_folder import data_fingerprints
from bustle.inference.decision import MALIGNANT
from bustle.inference.predictor import Predictor
from bustle.report.acceptance_page import write_acceptance_page


def accept(
    model: Path, *, load_data: Callable[[], Collection], limits: Path, out: Path, groups: str = "patient"
) -> Acceptance:
    """Evaluate the model on the data into `out`, judge the limits, and list what changed since the model before it.

    The figures are those of the answers where the model has a rule for them, on the strict track. Everything that is
    cheap to check is checked before anything is predicted. Raises `InputError` for wrong input.
    """
    asked, rule = read_limits(limits), group_rule(groups)
    record = out / ACCEPTANCE_RECORD
    with claim_folder(out, ACCEPTANCE) as claim:
        claim.refuse_foreign()
        earlier = read_acceptance(record)
        predictor = Predictor.open(model)
        collection = load_data()
        tell_findings(collection)
        claim.refuse_inputs([limits, *(file for case in collection.cases for file in case.files)])
        scored = ScoredFolder(out / EVALUATION_FOLDER)
        claim.begin(clear=False)
        remove_file(out / ACCEPTANCE_PAGE)  # it would be that of figures which are no longer there
        result = evaluate_model(predictor, cases=collection.cases, out=scored.path, track="strict", groups=rule)
        judged = judge(asked, _figures(result))
        tested = TestedModel(model=predictor.provenance, answers=_answers(scored))
        acceptance = Acceptance(
            **{f.name: getattr(tested, f.name) for f in fields(tested)},
            verdict=overall(judged),
            limits=tuple(judged),
            data=data_fingerprints(collection.cases),
            n_cases=result.n_cases,
            n_groups=result.n_groups,
            groups=result.resampled,
            warnings=result.warnings,
            provenance=provenance(),
            before=_before(earlier, tested),
        )
        write_acceptance(record, acceptance)
        write_acceptance_page(out / ACCEPTANCE_PAGE, acceptance, report=f"{EVALUATION_FOLDER}/{scored.report.name}")
    return acceptance


def _figures(result: TrackResult) -> dict[str, Estimates | None]:
    """By part, of the answers where there are any."""
    scored = result if result.answers is None else result.answers
    found = {part: estimates_of(scored, part) for part in ("segmentation", "classification", "consistency")}
    return found | {"answers": None if result.answers is None else result.answers.estimates}


def _answers(scored: ScoredFolder) -> dict[str, GivenAnswer]:
    path = scored.answers if scored.answers.exists() else scored.main.cases
    return {
        row.case_id: GivenAnswer(decision=row.decision, malignant=row.probability(MALIGNANT))
        for row in read_cases(path)
    }


def _before(earlier: Acceptance | None, tested: TestedModel) -> TestedModel | None:
    """The last test of another model: the same command twice still tells what changed."""
    if earlier is None:
        return None
    if earlier.model.same_files_as(tested.model):
        return earlier.before
    return TestedModel(model=earlier.model, answers=earlier.answers)
