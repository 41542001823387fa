"""The appendix for a paper: a methods and a results paragraph to paste, and the checklists' items.

Both hold what the evaluation knows; what it cannot know stands in square brackets, to be written by the authors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from bustle.core.model_provenance import ModelProvenance
from bustle.core.recipe import Protocol
from bustle.evaluation.figures import Estimate, estimates_of
from bustle.evaluation.metrics import CATALOGUES
from bustle.report.case_traits import TRAITS, traits_of
from bustle.report.checklist_items import ITEMS, ChecklistItem
from bustle.report.wording import with_unit

if TYPE_CHECKING:
    from bustle.report.evaluation_page import ReportedTracks

GROUPS = {
    "case": "single images were drawn as if independent",
    "patient": "all images of a patient stayed in one part",
    "leak_group": "all images of a patient, and all copies and frames of one scene, stayed in one part",
}
VALIDATION = {
    "none": "No validation part was used: the number of epochs was fixed beforehand.",
    "inner": "The epoch was chosen on an inner validation part of the training cases.",
    "fold": "The epoch was chosen on one of the training folds.",
    "test": "The epoch was chosen on the test fold itself, which makes the figures too good.",
}
EMPTY = {
    "strict": "a missed lesion scored a Dice of 0 and the image's diagonal as distance, and cases without a lesion "
    "counted in the false positives only",
    "lesions_only": "a missed lesion scored a Dice of 0 without a distance, and cases without a lesion were left out",
    "undefined": "two empty masks scored a Dice of 1, one empty mask a Dice of 0 without a distance",
    "zero_distance": "two empty masks scored a Dice of 1, one empty mask a Dice of 0 and a distance of 0",
}
RESULTS = {
    "segmentation": ("dice", "iou", "hd95_mm", "hd95_px", "missed_lesions", "fp_rate_on_normals"),
    "classification": ("auc", "sensitivity", "specificity", "brier"),
}
OPEN: Mapping[int | str, str] = {
    2: "written by the authors",
    13: "devices, probes and settings",
    14: "how class and outline were established (histology, follow-up, consensus)",
    16: "number, training and experience of the annotators",
    18: "second outlines, if any: `bustle evaluate` scores them like predictions",
    34: "number of the registration, or that there is none",
    36: "age, indication, BI-RADS categories, lesion types",
    "14": "subgroups by age, ethnicity or breast density, if these are known",
}
"""By the item's key what is missing where its own words do not say it."""


class FilledItem(NamedTuple):
    """`known` is empty where the authors have to write all of it."""

    item: ChecklistItem
    known: str
    open: str


class Partition(NamedTuple):
    """How a training run's cases were divided: into `folds`, of which `tested` were; `test_share` of the first."""

    folds: int
    tested: int
    test_share: float
    seed: int


class Appendix(NamedTuple):
    methods: str
    results: str
    items: list[FilledItem]


def appendix(reported: ReportedTracks, *, partition: Partition | None = None) -> Appendix:
    """`partition` is that of a training run, None of an evaluation of a finished model."""
    known = _known(reported, partition)
    items = [FilledItem(item, known.get(item.key, ""), OPEN.get(item.key, "")) for item in ITEMS]
    return Appendix(methods=_methods(reported, partition), results=_results(reported, *RESULTS), items=items)


def _methods(reported: ReportedTracks, partition: Partition | None) -> str:
    result, protocol = reported.results.main, reported.protocols.main
    sentences = [
        f"{result.title} was evaluated on {_cases(reported)}.",
        "[How the cases were chosen, acquired and annotated, and the ethics approval.]",
        reported.trained_on,
        *(f"[To be stated: {warning}.]" for warning in result.warnings),
    ]
    if partition is not None:
        sentences += [
            "[The network, its losses, optimiser, schedule and augmentation, as the run's recipe.yaml states them.]",
            _divided(partition, protocol),
            VALIDATION[protocol.validation],
        ]
    sentences += [_scoring(reported), _uncertainty(reported)]
    if reported.results.companion is not None:
        other = reported.results.companion
        sentences.append(f"The same predictions were also scored by the rules of the protocol {other.protocol}.")
    sentences.append(f"The evaluation was run with {_software(reported)}.")
    return " ".join(sentences)


def _cases(reported: ReportedTracks) -> str:
    rows = reported.rows
    sources = {name: part.n_cases for name, part in reported.results.main.by_source.items()}
    labels = {
        name: sum(row.label == name for row in rows) for name in dict.fromkeys(row.label for row in rows) if name
    }
    text = f"{len(rows):,} cases of {_listed([f'{name} ({count:,})' for name, count in sources.items()])}"
    if labels:
        text += f": {_listed([f'{count:,} {name}' for name, count in sorted(labels.items())])}"
    return f"{text}, in {reported.results.main.n_groups:,} independent groups ({reported.results.main.resampled})"


def _divided(partition: Partition, protocol: Protocol) -> str:
    if partition.folds == 1:
        text = f"A test part of {100 * partition.test_share:.0f} % was held out"
    elif protocol.official_folds:
        text = f"The publishers' own {partition.folds} folds were used, {partition.tested} of which were tested"
    else:
        text = f"Cases were divided into {partition.folds} folds, {partition.tested} of which were tested"
    stratified = ", with the classes' shares kept" if protocol.stratify else ""
    return f"{text} (seed {partition.seed}{stratified}); {GROUPS[protocol.group_by]}."


def _scoring(reported: ReportedTracks) -> str:
    result = reported.results.main
    texts = []
    if result.segmentation is not None:
        grid = "at the image's own size" if result.resolution == "native" else "on the network's grid"
        texts.append(
            f"Outlines were compared with the reference {grid} by the Dice coefficient, intersection over union, and "
            f"the 95th percentile and the mean of surface distances; {EMPTY[result.empty_policy]}."
        )
    if result.classification is not None:
        averaged = "" if result.classification.average == "binary" else " Class metrics are averages over classes."
        texts.append(
            f"Classes were compared by the area under the ROC curve (AUC), sensitivity and specificity with "
            f"{result.classification.positive_class} as the positive class.{averaged}"
        )
    if reported.reliability is not None and reported.reliability.network is not None:
        texts.append(
            "Calibration was assessed by the debiased expected calibration error in ten bins of equal mass and the "
            "decomposition of the Brier score, clinical utility by decision curves (net benefit)."
        )
    return " ".join(texts)


def _uncertainty(reported: ReportedTracks) -> str:
    made = reported.results.main.bootstrap
    return (
        f"95 % confidence intervals are percentiles of {made.resamples:,} bootstrap resamples of whole groups (seed "
        f"{made.seed}); for a share of 0 or 1 they are exact (Clopper-Pearson) with a group counted as one case."
    )


def _software(reported: ReportedTracks) -> str:
    made = reported.results.main.provenance
    named = [f"{name} {version}" for name, version in made.versions.items()]
    return f"{_listed(named)} on {made.platform}"


def _results(reported: ReportedTracks, *parts: str) -> str:
    found = []
    for part in parts:
        estimates = estimates_of(reported.results.main, part) or {}
        found += [
            _figure(CATALOGUES[part][name].title, estimates[name])
            for name in RESULTS[part]
            if name in estimates and estimates[name].mean is not None
        ]
    return "; ".join(found) + "." if found else ""


def _figure(title: str, entry: Estimate) -> str:
    bounds = ""
    if entry.ci95 is not None:
        bounds = f"95 % CI {' to '.join(with_unit(bound, entry.unit) for bound in entry.ci95)}; "
    return f"{title} {with_unit(entry.mean, entry.unit)} ({bounds}n = {entry.n:,})"


def _known(reported: ReportedTracks, partition: Partition | None) -> Mapping[int | str, str]:
    """By an item's key what this evaluation says of it."""
    result, protocol = reported.results.main, reported.protocols.main
    model = result.model
    counts = {
        trait: sum(trait in traits_of(row, classes=reported.classes) for row in reported.rows) for trait in TRAITS
    }
    unscored = sum(row.dice is None and row.decision is None for row in reported.rows)
    found: dict[int | str, str] = {
        7: _cases(reported) + ".",
        12: f"{unscored:,} cases had neither an outline nor a class to score; each figure states its n.",
        19: reported.trained_on if partition is None else _divided(partition, protocol),
        20: "" if partition is None else (GROUPS[protocol.group_by] + ".").capitalize(),
        21: f"{len(reported.rows):,} cases were tested; the intervals say what they can show.",
        22: f"{result.title}{_ids(model) if isinstance(model, ModelProvenance) else ''}.",
        23: _software(reported) + ".",
        25: reported.trained_on,
        26: "" if partition is None else VALIDATION[protocol.validation],
        27: _ensemble(model) if isinstance(model, ModelProvenance) else "",
        28: _scoring(reported),
        29: _uncertainty(reported),
        30: "Tables by data source, class and lesion size above.",
        31: "The check of explanation maps above." if reported.explanations is not None else "",
        32: "" if partition is None else "Out-of-fold cases of the training data.",
        35: f"{len(reported.rows):,} included.",
        37: _results(reported, "segmentation"),
        38: _results(reported, "classification"),
        39: "; ".join(f"{trait}: {counts[trait]:,}" for trait in TRAITS) + ". Galleries above.",
        40: " ".join(f"{limit}." for limit in (*result.warnings, *protocol.caveats)),
        "21": _cases(reported) + ".",
        "23b": "Table by data source above." if len(result.by_source) > 1 else "",
    }
    return {number: text for number, text in found.items() if text}


def _ids(model: ModelProvenance) -> str:
    return (
        f" (network {model.model}, recipe {model.recipe}, weights {', '.join(w.sha256[:12] for w in model.weights)})"
    )


def _ensemble(model: ModelProvenance) -> str:
    count = len(model.weights)
    return f"Mean over {count} networks." if count > 1 else "One network."


def _listed(texts: Sequence[str]) -> str:
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)
