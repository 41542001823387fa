"""Boxes of predicted masks against true boxes, by hand (LA-Net, section 4.5)."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.core.recipe import load_protocol
from bustle.core.types import Box
from bustle.evaluation.boxes import intersection_over_union, largest_box, score_boxes, tight_box
from bustle.evaluation.cases import PredictedCase, TruthCase, score_case
from bustle.evaluation.summary import Scoring, summarise

EMPTY = np.zeros((20, 30), bool)


def drawn(*boxes: Box):
    mask = EMPTY.copy()
    for box in boxes:
        mask[box.y_start : box.y_stop, box.x_start : box.x_stop] = True
    return mask


def test_the_box_is_that_of_the_largest_component():
    mask = drawn(Box(2, 3, 5, 9), Box(10, 20, 12, 22))  # 18 and 4 pixels
    mask[14:17, 2:5] = np.eye(3, dtype=bool)  # a diagonal of 3, one part by its corners
    assert tight_box(mask) == Box(2, 3, 5, 9)
    assert tight_box(drawn(Box(0, 0, 1, 12), Box(5, 5, 9, 9))) == Box(5, 5, 9, 9)  # more pixels, not the longer one
    diagonal = EMPTY.copy()
    diagonal[14:17, 2:5] = np.eye(3, dtype=bool)
    assert tight_box(diagonal) == Box(14, 2, 17, 5)
    assert tight_box(EMPTY) is None


@pytest.mark.parametrize(
    ("second", "iou"),
    [
        (Box(2, 2, 6, 8), 1.0),
        (Box(4, 4, 8, 10), 8 / (24 + 24 - 8)),  # 2 x 4 of 4 x 6 each
        (Box(3, 3, 5, 7), 8 / 24),  # inside
        (Box(6, 2, 9, 8), 0.0),  # touching
        (Box(10, 10, 12, 12), 0.0),
    ],
)
def test_intersection_over_union_by_hand(second: Box, iou: float):
    assert intersection_over_union(Box(2, 2, 6, 8), second) == pytest.approx(iou)
    assert intersection_over_union(second, Box(2, 2, 6, 8)) == pytest.approx(iou)


def test_the_largest_of_several_boxes():
    assert largest_box([Box(0, 0, 2, 9), Box(0, 0, 5, 5), Box(1, 1, 2, 2)]) == Box(0, 0, 5, 5)
    assert largest_box([]) is None


@pytest.mark.parametrize(
    ("policy", "no_lesion_nothing_drawn", "no_lesion_but_drawn"),
    [("strict", None, None), ("lesions_only", None, None), ("undefined", 1.0, 0.0), ("zero_distance", 1.0, 0.0)],
)
def test_empty_masks(policy, no_lesion_nothing_drawn, no_lesion_but_drawn):
    assert score_boxes(Box(0, 0, 2, 2), None, empty_masks=policy) == 0
    assert score_boxes(None, None, empty_masks=policy) == no_lesion_nothing_drawn
    assert score_boxes(None, Box(0, 0, 2, 2), empty_masks=policy) == no_lesion_but_drawn


def row(prediction, *, mask=None, boxes=None, protocol="strict", number=0):
    truth = TruthCase(case_id=f"made/{number}", source="made", label="benign", mask=mask, boxes=boxes)
    predicted = PredictedCase(case_id=truth.case_id, mask=prediction)
    return score_case(truth, predicted, protocol=load_protocol(protocol), classes=("benign", "malignant"))


def test_a_mask_is_the_truth_where_there_is_one_and_boxes_else():
    prediction = drawn(Box(4, 4, 8, 10))
    masked = row(prediction, mask=drawn(Box(2, 2, 6, 8), Box(15, 15, 16, 16)), boxes=(Box(0, 0, 20, 30),))
    assert masked.box_iou == pytest.approx(8 / 40)
    assert masked.box_dice == pytest.approx(2 * 8 / (24 + 24))
    assert masked.dice == pytest.approx(2 * 8 / (24 + 25))
    boxed = row(prediction, boxes=(Box(15, 15, 16, 16), Box(2, 2, 6, 8)))
    assert boxed.box_iou == pytest.approx(8 / 40)
    assert boxed.box_dice == masked.box_dice
    assert boxed.dice is None
    assert boxed.truth_empty is None
    assert row(prediction).box_iou is None
    assert row(None, boxes=(Box(2, 2, 6, 8),)).box_iou is None


def test_a_volume_has_no_box_score():
    volume = np.ones((4, 5, 6), bool)
    assert row(volume, mask=volume).box_iou is None
    assert row(volume, mask=volume).box_dice is None


def test_cases_with_boxes_alone_are_summed_up_by_their_boxes():
    rows = [
        row(drawn(Box(2, 2, 6, 8)), boxes=(Box(2, 2, 6, 8),), number=0),
        row(drawn(Box(4, 4, 8, 10)), boxes=(Box(2, 2, 6, 8),), number=1),
        row(EMPTY, boxes=(Box(2, 2, 6, 8),), number=2),
        row(drawn(Box(0, 0, 3, 3)), number=3),
    ]
    scoring = Scoring(protocol=load_protocol("strict"), classes=("benign", "malignant"), resamples=50)
    metrics = summarise(rows, scoring=scoring, track="strict")
    found = metrics.segmentation
    assert found["box_iou"].mean == pytest.approx((1 + 0.2 + 0) / 3)
    assert (found["box_iou"].n, found["box_iou"].n_undefined) == (3, 0)
    assert found["box_dice"].mean == pytest.approx((1 + 2 * 0.2 / 1.2 + 0) / 3)  # each case's own, then the mean
    assert (found["box_dice"].n, found["box_dice"].n_undefined) == (3, 0)
    assert (found["dice"].n, found["dice"].n_undefined, found["dice"].mean) == (0, 0, None)
    assert found["missed_lesions"].n == 0
    mixed = [*rows, row(drawn(Box(2, 2, 6, 8)), mask=drawn(Box(2, 2, 6, 8)), number=4)]
    both = summarise(mixed, scoring=scoring, track="strict").segmentation
    assert (both["dice"].n, both["dice"].n_undefined, both["box_iou"].n) == (1, 0, 4)
