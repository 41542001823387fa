"""`bustle study generalise`: train on each data set, test on each other, and leave each one out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bustle.core.claimed_output import claim_folder
from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.files import write_json
from bustle.core.progress import announce
from bustle.core.provenance import provenance
from bustle.core.recipe import Recipe
from bustle.core.run_layout import RunLayout, ScoredFolder
from bustle.core.types import Collection
from bustle.evaluation.case_table import read_cases
from bustle.evaluation.generalisation import Cell, Generalisation, cell_of
from bustle.evaluation.result_files import read_track
from bustle.experiments.own_outputs import GENERALISATION, GENERALISATION_PAGE, GENERALISATION_RECORD
from bustle.experiments.planned_run import SplitChoice
from bustle.experiments.study_runs import tested, trained
from bustle.report.generalisation_page import write_generalisation_page


@dataclass(frozen=True, kw_only=True)
class Training:
    """One row of the matrix: what a model is trained on, and what it has never seen."""

    trained_on: tuple[str, ...]
    unseen: tuple[str, ...]

    @property
    def name(self) -> str:
        return "+".join(self.trained_on)


def trainings(sources: Sequence[str]) -> list[Training]:
    """Each data set alone, and of three or more all but each one."""
    alone = [(source,) for source in sources]
    others = [tuple(other for other in sources if other != source) for source in sources]
    chosen = alone if len(sources) < 3 else [*alone, *others]
    return [Training(trained_on=on, unseen=tuple(each for each in sources if each not in on)) for on in chosen]


def study_generalisation(
    collections: Mapping[str, Collection],
    *,
    recipe: Recipe,
    out: Path,
    holdout: float,
    device: str = "auto",
    first_alone: bool = False,
) -> Generalisation:
    """Train and test what is missing of the data sets by name, then write the record and its page into `out`.

    `first_alone` trains on the first data set only.

    Finished trainings and tests are kept, a begun training goes on after its last epoch. The record is written anew
    after every row of the matrix. Raises `InputError` for fewer than two data sets, data that cannot be split, and
    where what is there is of another recipe or data.
    """
    if len(collections) < 2:
        raise InputError("one data set cannot show how a model does on another", remedy="give two or more to --data")
    with claim_folder(out, GENERALISATION) as claim:
        claim.refuse_foreign()
        claim.refuse_inputs([file for each in collections.values() for case in each.cases for file in case.files])
        claim.begin(clear=False)
        planned = trainings(list(collections))[: 1 if first_alone else None]
        for training in planned:
            announce(f"bustle: training on {', '.join(training.trained_on)}")
            run = trained(
                recipe,
                collection=_together([collections[source] for source in training.trained_on]),
                out=run_of(out, training).path,
                split=SplitChoice(holdout=holdout),
                seed=0,
                device=device,
            )
            for source in training.unseen:
                tested(run, cases=collections[source].cases, out=test_of(out, training, source).path)
            _record(planned, recipe=recipe, out=out, holdout=holdout)
        return _record(planned, recipe=recipe, out=out, holdout=holdout)


def run_of(out: Path, training: Training) -> RunLayout:
    return RunLayout(out / training.name / "run")


def test_of(out: Path, training: Training, source: str) -> ScoredFolder:
    return ScoredFolder(out / training.name / f"on-{source}")


def _together(collections: Sequence[Collection]) -> Collection:
    cases = tuple(case for each in collections for case in each.cases)
    return Collection(cases, tuple(finding for each in collections for finding in each.findings))


def _record(planned: Sequence[Training], *, recipe: Recipe, out: Path, holdout: float) -> Generalisation:
    """Write the record of what is finished."""
    study = Generalisation(
        recipe=recipe.id,
        epochs=recipe.training.epochs,
        size=tuple(recipe.data.size),
        holdout=holdout,
        cells=tuple(cell for training in planned for cell in cells_of(out, training)),
        provenance=provenance(),
    )
    write_json(out / GENERALISATION_RECORD, to_mapping(study))
    write_generalisation_page(out / GENERALISATION_PAGE, study)
    return study


def cells_of(out: Path, training: Training) -> list[Cell]:
    """At home only of a model of one data set: of several, each one's part would be a figure of its own."""
    folders = [(test_of(out, training, source), source, False) for source in training.unseen]
    run = run_of(out, training)
    if len(training.trained_on) == 1 and run.summary.exists():
        folders.insert(0, (run.fold(0), training.trained_on[0], True))
    return [
        _cell(folder, training, source, at_home=at_home) for folder, source, at_home in folders if folder.is_scored
    ]


def _cell(folder: ScoredFolder, training: Training, source: str, *, at_home: bool) -> Cell:
    result = read_track(folder.main.metrics)
    return cell_of(
        result,
        read_cases(folder.answers) if folder.answers.exists() else (),
        trained_on=training.trained_on,
        tested_on=source,
        at_home=at_home,
        warnings=result.warnings,
    )
