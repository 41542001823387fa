"""Overlap metrics and empty-mask policies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bustle.evaluation.segmentation import PixelCounts, metric_names, pixel_counts, score_masks

EMPTY = np.zeros((30, 40), bool)
LESION = EMPTY.copy()
LESION[5:15, 5:15] = True


def test_overlaps_by_hand():
    scores = PixelCounts(true_positive=6, false_positive=2, false_negative=4, true_negative=88).overlaps()
    assert scores == pytest.approx(
        {
            "dice": 12 / 18,
            "iou": 6 / 12,
            "sensitivity": 0.6,
            "specificity": 88 / 90,
            "accuracy": 0.94,
            "precision": 0.75,
            "tfpr": 0.2,
            "fpr_union": 2 / 12,
            "fpr_background": 2 / 90,
        }
    )


def test_i7_the_three_false_positive_rates_differ_and_only_tfpr_exceeds_one():
    scores = PixelCounts(true_positive=5, false_positive=30, false_negative=5, true_negative=160).overlaps()
    assert scores["tfpr"] == 3.0
    assert scores["fpr_union"] == 0.75
    assert scores["fpr_background"] == pytest.approx(30 / 190)


def test_i9_iou_follows_from_dice_and_mean_iou_exceeds_that_of_the_mean():
    rng = np.random.default_rng(0)
    pairs = [
        pixel_counts(rng.random((20, 20)) < p, rng.random((20, 20)) < q).overlaps() for p, q in rng.random((50, 2))
    ]
    dice = np.array([scores["dice"] for scores in pairs])
    iou = np.array([scores["iou"] for scores in pairs])
    np.testing.assert_allclose(iou, dice / (2 - dice))
    assert iou.mean() >= dice.mean() / (2 - dice.mean())


def test_strict_scores_a_missed_lesion_worst():
    scores = score_masks(LESION, EMPTY, spacing=(0.1, 0.2), empty_masks="strict")
    assert scores["dice"] == scores["iou"] == scores["sensitivity"] == scores["precision"] == 0
    for name in ("hd95", "hd95_pooled", "asd", "assd"):
        assert scores[f"{name}_px"] == pytest.approx(50.0)
        assert scores[f"{name}_mm"] == pytest.approx(math.hypot(3, 8))


@pytest.mark.parametrize("policy", ["strict", "lesions_only"])
@pytest.mark.parametrize("prediction", [EMPTY, LESION])
def test_a_case_without_a_lesion_is_left_out(policy, prediction):
    assert set(score_masks(EMPTY, prediction, spacing=None, empty_masks=policy).values()) == {None}


def test_lesions_only_scores_a_missed_lesion_without_a_distance():
    scores = score_masks(LESION, EMPTY, spacing=(1.0, 1.0), empty_masks="lesions_only")
    assert scores["dice"] == scores["iou"] == scores["sensitivity"] == 0
    assert scores["hd95_px"] is scores["asd_mm"] is None


@pytest.mark.parametrize(("policy", "distance"), [("undefined", None), ("zero_distance", 0.0)])
@pytest.mark.parametrize(("truth", "prediction"), [(LESION, EMPTY), (EMPTY, LESION)])
def test_one_empty_mask_in_the_papers_policies(policy, distance, truth, prediction):
    scores = score_masks(truth, prediction, spacing=None, empty_masks=policy)
    assert scores["dice"] == scores["iou"] == 0
    assert scores["hd95_px"] == scores["asd_px"] == distance
    assert scores["hd95_mm"] is None


@pytest.mark.parametrize("policy", ["undefined", "zero_distance"])
def test_two_empty_masks_agree_in_the_papers_policies(policy):
    scores = score_masks(EMPTY, EMPTY, spacing=(1.0, 1.0), empty_masks=policy)
    assert scores["dice"] == scores["iou"] == 1
    assert scores["hd95_px"] == scores["hd95_mm"] == 0
    assert scores["sensitivity"] is None


def test_millimetres_follow_the_spacing_isotropic_or_not():
    moved = np.roll(LESION, 3, axis=1)
    assert score_masks(LESION, moved, spacing=(0.5, 0.5), empty_masks="strict")["hd95_mm"] == pytest.approx(1.5)
    assert score_masks(LESION, moved, spacing=(9.0, 0.1), empty_masks="strict")["hd95_mm"] == pytest.approx(0.3)


def test_every_case_has_every_metric():
    for truth, prediction in [(LESION, LESION), (LESION, EMPTY), (EMPTY, EMPTY)]:
        scores = score_masks(truth, prediction, spacing=None, empty_masks="undefined")
        assert sorted(scores) == sorted(metric_names())


def test_masks_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="shapes"):
        pixel_counts(LESION, LESION[:-1])
