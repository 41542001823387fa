"""Flawed ways to score, and by how much they raise a figure, against values by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.core.recipe import load_protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.flaws import SCORING_FLAWS, ScoredRows
from bustle.evaluation.inflation import Judged, by_positive, inflations

STRICT = load_protocol("strict")


def row(name: str, *, dice: float | None, hd95: float | None, label: str, malignant: float, drawn: bool = True):
    return CaseRow(
        case_id=name,
        group_id=name[0],
        source="s",
        label=label,
        probabilities={"benign": 1 - malignant, "malignant": malignant},
        dice=dice,
        hd95_px=hd95,
        truth_empty=label == "normal",
        prediction_empty=not drawn,
    )


ROWS = [
    row("a1", dice=0.8, hd95=10.0, label="benign", malignant=0.2),
    row("b1", dice=0.6, hd95=20.0, label="malignant", malignant=0.9),
    row("c1", dice=0.0, hd95=100.0, label="malignant", malignant=0.4, drawn=False),
    row("d1", dice=None, hd95=None, label="normal", malignant=0.1, drawn=False),
    row("e1", dice=None, hd95=None, label="normal", malignant=0.3),
    row("f1", dice=0.4, hd95=40.0, label="benign", malignant=0.6),
]
GROUPS = {each.case_id: each.group_id for each in ROWS}


def flawed(name: str, *, several=frozenset(), grid=()) -> dict[str, float]:
    flaw = SCORING_FLAWS[name]
    scored = ScoredRows(native=ROWS, on_grid={each.case_id: each for each in grid}, several_masks=several)
    rows = flaw.rows(scored)
    assert rows is not None
    judged = Judged(rows=rows, protocol=by_positive(STRICT, flaw.positive_class))
    native = Judged(rows=ROWS, protocol=STRICT)
    found = inflations([native], [judged], group_of=GROUPS, classes=("benign", "malignant"))
    return {each.metric: each.difference for each in found}


def test_a_missed_lesion_at_zero_lowers_the_distance_alone():
    assert flawed("missed_at_zero") == {"hd95_px": pytest.approx(-25.0)}


def test_an_interval_needs_groups_of_cases_that_count_in_the_metric():
    """Four of the six groups have a lesion."""
    for rows, has_interval in (
        (ROWS, False),
        ([*ROWS, row("g1", dice=0.0, hd95=60.0, label="malignant", malignant=0.8, drawn=False)], True),
    ):
        flawed = SCORING_FLAWS["missed_at_zero"].rows(ScoredRows(native=rows, on_grid={}, several_masks=None))
        assert flawed is not None
        sides = [[Judged(rows=each, protocol=STRICT)] for each in (rows, flawed)]
        groups = {each.case_id: each.group_id for each in rows}
        (found,) = inflations(*sides, group_of=groups, classes=("benign", "malignant"))
        assert (found.ci95 is not None) is has_interval


def test_normals_count_as_one_or_zero_in_dice():
    assert flawed("normals_in_dice") == {"dice": pytest.approx(2.8 / 6 - 1.8 / 4)}


def test_images_with_several_masks_are_dropped_from_every_figure():
    found = flawed("several_masks_dropped", several=frozenset({"f1"}))
    assert found["dice"] == pytest.approx(1.4 / 3 - 1.8 / 4)
    assert found["accuracy"] == pytest.approx(2 / 3 - 2 / 4)


def test_with_benign_positive_sensitivity_and_specificity_change_places():
    rows = [*ROWS, row("g1", dice=0.5, hd95=9.0, label="benign", malignant=0.1)]
    groups = {each.case_id: each.group_id for each in rows}
    native = Judged(rows=rows, protocol=STRICT)
    benign = Judged(rows=rows, protocol=by_positive(STRICT, "benign"))
    found = inflations([native], [benign], group_of=groups, classes=("benign", "malignant"))
    values = {each.metric: (each.strict, each.flawed) for each in found}
    assert values["sensitivity"] == values["specificity"][::-1] == (pytest.approx(0.5), pytest.approx(2 / 3))
    assert "auc" not in values  # of two classes it is the same


def test_the_grid_changes_outlines_and_leaves_missed_lesions_strict():
    grid = [CaseRow(**{**vars(each), "dice": 0.9, "hd95_px": 1.0}) for each in ROWS]
    found = flawed("network_grid", grid=grid)
    assert found["dice"] == pytest.approx((0.9 * 3 + 0.0) / 4 - 1.8 / 4)
    assert found["hd95_px"] == pytest.approx((3 + 100) / 4 - 170 / 4)


def test_a_flaw_that_the_results_cannot_show_is_none():
    scored = ScoredRows(native=ROWS[:3], on_grid={}, several_masks=None)
    for name in ("network_grid", "several_masks_dropped", "normals_in_dice"):
        assert SCORING_FLAWS[name].rows(scored) is None


def test_the_interval_of_a_constant_shift_is_that_shift_and_repeats_are_averaged():
    random = np.random.default_rng(0)
    rows = [
        row(f"{number:03}", dice=float(value), hd95=5.0, label="benign", malignant=0.2)
        for number, value in enumerate(random.uniform(0.2, 0.7, 60))
    ]
    groups = {each.case_id: each.case_id for each in rows}

    def shifted(by: float) -> Judged:
        return Judged(rows=[CaseRow(**{**vars(each), "dice": each.dice + by}) for each in rows], protocol=STRICT)

    sides = [shifted(0.0), shifted(0.0)], [shifted(0.1), shifted(0.2)]
    (found,) = inflations(*sides, group_of=groups, classes=("benign", "malignant"))
    assert (found.metric, found.runs) == ("dice", 2)
    assert found.difference == pytest.approx(0.15)
    assert found.ci95 == pytest.approx((0.15, 0.15))
