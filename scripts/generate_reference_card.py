"""Writes the reference model's card, and its licence and the citations of its training data in `package.json`, anew.

The figures are those of the JSON files under `results/`; run it after an export or new results. The graph is not
touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from generate_reference_page import REFERENCE, RESULTS, promises, recorded, tested, training_command

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json, write_text
from bustle.core.model_provenance import ModelProvenance
from bustle.evaluation.figures import AnswerFigures, Estimate, ShortFigure, Subgroup, estimates_of
from bustle.experiments.export import terms_of
from bustle.export.model_card import card_of, card_sections, subgroup_table
from bustle.inference.package import CARD, RECORD, Package, PackageRecord, sealed
from bustle.inference.shipped import REFERENCE as NAME
from bustle.inference.shipped import named_model
from bustle.report.wording import short_figure

PACKAGE = named_model(Path(NAME))

LICENCE = (
    "Apache License 2.0, as bustle itself, from those who trained these weights, the bustle developers, as far as "
    "they have rights in them. It grants nothing of what belongs to others. The training images stay under their "
    "publishers' terms (named under Training): whoever uses the weights in a document or paper must cite the "
    "article of BUS-BRA (Copyright (c) 2023; its LICENSE.txt demands it), and those of BUSI and BrEaST (CC BY), and "
    "say that their images were used for training. BUSI's images come without a licence file; CC BY is the licence "
    "of its article. The training started from weights of EfficientNet-Lite0 (Apache License 2.0), which had learnt "
    "from ImageNet, whose images are handed out for non-commercial research and education. Whether such terms bind "
    "weights is not settled: look into it before a commercial use."
)

OUTLINES_AND_CLASSES = (
    ("Dice", "segmentation", "dice"),
    ("Lesions missed", "segmentation", "missed_lesions"),
    ("A lesion drawn on normals", "segmentation", "fp_rate_on_normals"),
    ("AUC, malignant", "classification", "auc"),
    ("Sensitivity, malignant most probable", "classification", "sensitivity"),
    ("Specificity, malignant most probable", "classification", "specificity"),
)
CALIBRATION = (
    ("ECE, 10 bins of equal mass", "classification", "ece_equal_mass_10"),
    ("Brier score", "classification", "brier"),
)

FIGURES = """\
Of answers as `bustle predict` gives them; brackets hold 95 % intervals over patients and groups of near duplicates.

- **Cross-validated**: three sisters of the model, each trained on two thirds of its three data sets and tested on the
  rest: what to expect in these hospitals.
- **Own sources**: the model itself, on the tenth of its cases that it was not trained on.
- **Unseen**: a sister each that was trained without BUS-BRA, without BUSI or without BrEaST, and tested on all of it:
  what to expect elsewhere. The one without BUSI had four normal images, too few for a rule that asks whether there is
  a lesion. Of BrEaST only 40 cases are at hand, so that its intervals are wide.
"""

CHOSEN = (
    "The sisters' epochs, the views and three settings of the rule were chosen after a look at the figures of "
    "unseen BUS-BRA, and which faint parts of an outline are dropped after one at those of BUS-BRA and BUSI, which "
    "flatters them a little. More, of the network's own outputs too, stands in bustle's repository: "
    "docs/reference/reference-model.md."
)

SUBGROUPS = (
    "Cross-validated, of the network's own outputs. Small, medium and large are thirds of the lesions' areas in "
    "pixels; BUSI tells neither device nor BI-RADS; burned-in marks are text, calipers and scales."
)

LIMITS = """\
- BUSI tells no patients: only its near duplicates are kept together, which may flatter its figures.
- By age, breast density or origin of the patients nothing is known: most of the data do not tell them.
"""


def main() -> None:
    record = described()
    write_json(PACKAGE / RECORD, sealed(to_mapping(record)))
    write_text(PACKAGE / CARD, render())


def described() -> PackageRecord:
    """The package's record with the licence above and what the readers say of the training data's terms.

    Raises `InputError` where `results/reference.json` is of other weights.
    """
    record = Package(PACKAGE).record
    models = [fold.circumstances.model for fold in recorded("reference").folds]
    weights = [each for model in models if isinstance(model, ModelProvenance) for each in model.weights]
    if tuple(weights) != record.weights:
        raise InputError(
            "is of other weights than the package",
            remedy="run `bustle results add RUN --to results --name reference`",
            path=RESULTS / "reference.json",
        )
    training = record.training
    assert training is not None, "written by every export of a run"
    data = {source: replace(facts, licence=terms_of(source)) for source, facts in training.data.items()}
    return replace(record, licence=LICENCE, training=replace(training, data=data))


def render() -> str:
    record = described()
    own = card_sections(record, name=PACKAGE.name)
    answers = {name: scores.answers for name, scores in tested().items() if scores.answers is not None}
    outlines_and_classes = _table(_rows(OUTLINES_AND_CLASSES, answers), answers)
    return card_of(
        record,
        {
            "What it does": own["What it does"],
            "Intended use": own["Intended use"],
            "Use": "```bash\nbustle predict scans/ --out predictions\n```",
            "Figures": f"{FIGURES}\n{outlines_and_classes}\n{CHOSEN}",
            "Calibration and coverage": _calibration(record, answers),
            "Subgroups": f"{SUBGROUPS}\n\n{subgroup_table(_subgroups('cross_validated'))}",
            "Limits": _limits(),
            "Training": f"{own['Training']}\n\n{training_command()}".rstrip(),
            **{title: own[title] for title in ("Deviations from the paper", "Export", "Licence")},
        },
    )


def _calibration(record: PackageRecord, answers: Mapping[str, AnswerFigures]) -> str:
    rule = record.decision
    assert rule is not None
    assert rule.presence is not None
    fitted = (
        f"The rule was fitted on validation cases: {rule.presence.cases_yes} with a lesion "
        f"({rule.malignancy.cases_yes} malignant) and {rule.presence.cases_no} without one. Shares in brackets are "
        "what it states."
    )
    promised = {words: [scored.estimates[name] for scored in answers.values()] for words, name in promises()}
    return f"{fitted}\n\n{_table(_rows(CALIBRATION, answers) | promised, answers)}".rstrip()


def _rows(lines: Sequence[tuple[str, str, str]], answers: Mapping[str, AnswerFigures]) -> dict[str, list[Estimate]]:
    """The estimates of every line (words, part, metric), of all that was tested."""
    rows: dict[str, list[Estimate]] = {}
    for words, part, metric in lines:
        found = [estimates_of(scored, part) for scored in answers.values()]
        rows[words] = [estimates[metric] for estimates in found if estimates is not None]
    return rows


def _table(rows: Mapping[str, Sequence[Estimate]], answers: Mapping[str, AnswerFigures]) -> str:
    columns = [f"{name} ({scored.n_cases:,})" for name, scored in answers.items()]
    lines = [f"|  | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for words, estimates in rows.items():
        lines.append(f"| {words} | {' | '.join(short_figure(ShortFigure.of(each)) for each in estimates)} |")
    return "\n".join(lines) + "\n"


def _subgroups(of: str) -> tuple[Subgroup, ...]:
    return tuple(
        from_mapping(Subgroup, group, where="subgroups")
        for group in read_json(REFERENCE / f"subgroups_{of}.json")["subgroups"]
    )


def _limits() -> str:
    unseen = [group for group in _subgroups("without_busbra") if group.missed_lesions.value is not None]
    worst = max(unseen, key=lambda group: group.missed_lesions.value or 0)
    by_chance = [
        f"{group.kind} {group.name} ({short_figure(group.auc)})"
        for group in _subgroups("cross_validated")
        if group.auc.ci95 is not None and group.auc.ci95[0] <= 0.5
    ]
    lines = [
        f"- Of unseen BUS-BRA most lesions are missed in {worst.kind} {worst.name}: "
        f"{short_figure(worst.missed_lesions)} of {worst.n} cases."
    ]
    if by_chance:
        lines.append(f"- The AUC cannot be told from chance in: {', '.join(by_chance)}.")
    return "\n".join([*lines, LIMITS]).rstrip()


if __name__ == "__main__":
    main()
