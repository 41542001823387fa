"""How models trained on some data sets do on others: the content of `generalisation.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bustle.core.provenance import Provenance
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.figures import ShortFigure, estimates_of
from bustle.evaluation.results import TrackScores
from bustle.evaluation.statistics import GroupResamples, share_interval, weighted_means

FIGURES = {
    "dice": ("segmentation", "Dice"),
    "missed_lesions": ("segmentation", "lesions missed"),
    "fp_rate_on_normals": ("segmentation", "a lesion drawn on normals"),
    "auc": ("classification", "AUC"),
    "ece_equal_mass_10": ("classification", "ECE"),
}
"""Of the network's own outputs, the part of the results that each is from, and its name in the matrix."""

TRANSFER = {
    "sensitivity_at_home_threshold": "sensitivity at the threshold from home",
    "specificity_at_home_threshold": "specificity at the threshold from home",
}
"""Of the answers: a lesion is called malignant where the rule, fitted at home, does not exclude it."""

TITLES = {name: title for name, (_, title) in FIGURES.items()} | TRANSFER


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A model trained on the sources `trained_on` and tested on `tested_on`: `n` cases, `lesions` of them with one.

    `at_home` if the test cases are a part that was kept of a source that it was trained on. A figure is left out
    where the cases do not tell it. `warnings` are what a reader of them must know, such as copies of images that the
    model was trained on.
    """

    trained_on: tuple[str, ...]
    tested_on: str
    at_home: bool
    n: int
    lesions: int
    figures: Mapping[str, ShortFigure]
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Generalisation:
    """The matrix, and the recipe's id, epochs and image size; `holdout` is the share kept for the tests at home."""

    recipe: str
    epochs: int
    size: tuple[int, ...]
    holdout: float
    cells: tuple[Cell, ...]
    provenance: Provenance


def cell_of(
    scores: TrackScores,
    answers: Sequence[CaseRow],
    *,
    trained_on: tuple[str, ...],
    tested_on: str,
    at_home: bool,
    warnings: tuple[str, ...],
    resamples: int = 2000,
) -> Cell:
    """From the strict track's figures of a test and the rows of its answers, none of a model without a rule."""
    found: dict[str, ShortFigure] = {}
    for name, (part, _) in FIGURES.items():
        estimates = estimates_of(scores, part)
        if estimates is not None and estimates[name].mean is not None:
            found[name] = ShortFigure.of(estimates[name])
    lesions = scores.segmentation["missed_lesions"].n if scores.segmentation is not None else 0
    return Cell(
        trained_on=trained_on,
        tested_on=tested_on,
        at_home=at_home,
        n=scores.n_cases,
        lesions=lesions,
        figures=found | _transfer(answers, resamples=resamples),
        warnings=warnings,
    )


def _transfer(answers: Sequence[CaseRow], *, resamples: int) -> dict[str, ShortFigure]:
    """Of the lesions of known class, by whole groups."""
    found = {}
    for name, label in (("sensitivity_at_home_threshold", "malignant"), ("specificity_at_home_threshold", "benign")):
        rows = [row for row in answers if row.label == label and row.possible]
        if not rows:
            continue
        called = np.array(["malignant" in (row.possible or "").split("|") for row in rows])
        right = (called if label == "malignant" else ~called).astype(np.float64)
        drawn = GroupResamples.draw([row.group_id for row in rows], resamples=resamples, seed=0)
        resampled = weighted_means(right[:, None], weights=drawn.weights)[:, 0]
        share = float(right.mean())
        interval = share_interval(share, resampled, groups=drawn.groups)
        found[name] = ShortFigure(value=share, ci95=interval, n=len(rows))
    return found
