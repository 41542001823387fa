"""Flawed ways to score that published protocols have, each as another reading of the same predictions.

Every flaw takes the rows that the strict track scored and returns those that a flawed protocol would have averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bustle.evaluation.case_table import CaseRow

PositiveClass = Literal["malignant", "benign"]


@dataclass(frozen=True, kw_only=True)
class ScoredRows:
    """The same cases in two ways: natively, and `on_grid`, compared on the network's own grid (by case id).

    `several_masks` are the ids of the cases with several mask files, None where that is not known.
    """

    native: Sequence[CaseRow]
    on_grid: Mapping[str, CaseRow]
    several_masks: frozenset[str] | None


@dataclass(frozen=True, kw_only=True)
class ScoringFlaw:
    """`rows` makes the flawed rows; None where the results do not tell what it needs.

    `positive_class` is another one than malignant where that is the flaw.
    """

    title: str
    rows: Callable[[ScoredRows], list[CaseRow] | None]
    positive_class: PositiveClass = "malignant"


def on_network_grid(scored: ScoredRows) -> list[CaseRow] | None:
    """Overlaps and distances in pixels of the network's grid; a missed lesion keeps the strict distance."""
    if any(row.case_id not in scored.on_grid for row in scored.native):
        return None
    found = []
    for row in scored.native:
        other = scored.on_grid[row.case_id]
        if row.dice is None or row.prediction_empty:
            found.append(row)
        else:
            found.append(replace(row, dice=other.dice, iou=other.iou, hd95_px=other.hd95_px, asd_px=other.asd_px))
    return found


def without_several_masks(scored: ScoredRows) -> list[CaseRow] | None:
    """Images with several mask files are dropped."""
    if not scored.several_masks:
        return None
    return [row for row in scored.native if row.case_id not in scored.several_masks]


def missed_at_zero(scored: ScoredRows) -> list[CaseRow] | None:
    """A lesion of which nothing is drawn has a surface distance of 0."""
    return [
        replace(row, hd95_px=0.0, asd_px=0.0) if row.truth_empty is False and row.prediction_empty else row
        for row in scored.native
    ]


def normals_in_dice(scored: ScoredRows) -> list[CaseRow] | None:
    """A normal image counts as a Dice of 1 where nothing is drawn, of 0 where something is."""
    if not any(row.truth_empty for row in scored.native):
        return None
    found = []
    for row in scored.native:
        value = float(bool(row.prediction_empty))
        found.append(replace(row, dice=value, iou=value) if row.truth_empty else row)
    return found


def unchanged(scored: ScoredRows) -> list[CaseRow] | None:
    return list(scored.native)


def all_at_once(scored: ScoredRows) -> list[CaseRow] | None:
    """Every flaw that the results allow, one after the other."""
    for flaw in (on_network_grid, without_several_masks, missed_at_zero, normals_in_dice):
        rows = flaw(scored)
        if rows is not None:
            scored = replace(scored, native=rows)
    return list(scored.native)


SCORING_FLAWS = {
    "none": ScoringFlaw(title="scored as it should be", rows=unchanged),
    "network_grid": ScoringFlaw(title="masks compared on the network's grid", rows=on_network_grid),
    "several_masks_dropped": ScoringFlaw(title="images with several masks dropped", rows=without_several_masks),
    "missed_at_zero": ScoringFlaw(title="missed lesions at a distance of 0", rows=missed_at_zero),
    "normals_in_dice": ScoringFlaw(title="Dice averaged over normals, 1 where both are empty", rows=normals_in_dice),
    "benign_positive": ScoringFlaw(title="benign as the positive class", rows=unchanged, positive_class="benign"),
    "all_scoring": ScoringFlaw(title="all of the scoring", rows=all_at_once, positive_class="benign"),
}
