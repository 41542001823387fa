"""The challenge's metrics against plain forms of their definitions, by hand, and its published boards."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import directed_hausdorff
from sklearn.metrics import accuracy_score, roc_auc_score

from bustle.evaluation.metrics import FROC_RATES
from bustle.evaluation.tdsc_abus import (
    BoxedVolume,
    ChallengeBox,
    accuracy,
    auc,
    box_iou,
    box_of_mask,
    dice,
    froc,
    hausdorff_distance,
)
from bustle.evaluation.tdsc_abus_ranking import TeamFigures, boards, published_teams

SHAPE = (7, 9, 8)


@pytest.mark.parametrize("seed", range(5))
def test_masks_equal_plain_forms(seed):
    rng = np.random.default_rng(seed)
    truth, drawn = rng.random(SHAPE) < 0.05, rng.random(SHAPE) < 0.3
    first, second = np.argwhere(truth), np.argwhere(drawn)
    plain = max(directed_hausdorff(first, second)[0], directed_hausdorff(second, first)[0])
    assert hausdorff_distance(truth, drawn) == pytest.approx(plain)
    assert hausdorff_distance(truth, drawn) ** 2 == pytest.approx(round(plain**2))  # as in the published tables
    assert dice(truth, drawn) == pytest.approx(2 * (truth & drawn).sum() / (truth.sum() + drawn.sum()))


@pytest.mark.parametrize("seed", range(3))
def test_masks_equal_the_filters_that_the_challenge_used(seed):
    import SimpleITK

    rng = np.random.default_rng(seed)
    masks = [np.zeros((20, 24, 22), bool) for _ in range(2)]
    for mask in masks:
        for _ in range(3):
            start, length = rng.integers(0, 14, 3), rng.integers(2, 8, 3)
            mask[tuple(map(slice, start, start + length))] = True
    truth, drawn = (SimpleITK.GetImageFromArray(mask.astype(np.uint8)) for mask in masks)
    distance, overlap = SimpleITK.HausdorffDistanceImageFilter(), SimpleITK.LabelOverlapMeasuresImageFilter()
    distance.Execute(truth, drawn)
    overlap.Execute(truth, drawn)
    assert hausdorff_distance(*masks) == pytest.approx(distance.GetHausdorffDistance(), rel=1e-5)
    assert dice(*masks) == pytest.approx(overlap.GetDiceCoefficient())


def test_the_distance_is_that_of_the_voxels_and_not_of_the_surfaces():
    full = np.ones((1, 9, 9), bool)
    ring = full.copy()
    ring[:, 1:8, 1:8] = False
    assert hausdorff_distance(full, ring) == 4  # from the middle; the two outer surfaces are the same


def test_nothing_drawn():
    truth, nothing = np.ones((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
    assert hausdorff_distance(truth, nothing) == hausdorff_distance(nothing, truth) == math.inf
    assert dice(truth, nothing) == dice(nothing, nothing) == 0
    assert hausdorff_distance(truth, truth) == 0


def test_classes_equal_scikit_learn():
    rng = np.random.default_rng(0)
    malignant = rng.random(40) < 0.6
    probability = np.round(np.clip(0.3 * malignant + 0.7 * rng.random(40), 0, 1), 1)
    assert accuracy(malignant, probability) == pytest.approx(accuracy_score(malignant, probability >= 0.5))
    assert auc(malignant, probability) == pytest.approx(roc_auc_score(malignant, probability))
    assert accuracy(np.array([True]), np.array([0.5])) == 1
    assert auc(np.array([True]), np.array([0.5])) is None


def test_boxes_by_hand():
    """Validation case 100 of the challenge: from voxel 153, 58, 163 to voxel 225, 426, 465."""
    mask = np.zeros((230, 430, 470), bool)
    mask[153:226, 200, 300] = mask[200, 58:427, 300] = mask[200, 200, 163:466] = True
    assert box_of_mask(mask) == ChallengeBox((189, 242, 314), (72, 368, 302))
    cube = ChallengeBox((5, 5, 5), (4, 4, 4))
    assert box_iou(cube, cube) == 1
    assert box_iou(cube, ChallengeBox((7, 5, 5), (4, 4, 4))) == pytest.approx(32 / 96)
    assert box_iou(cube, ChallengeBox((9, 5, 5), (4, 4, 4))) == 0
    flat = ChallengeBox((5, 5, 5), (0, 4, 4))
    assert box_iou(flat, flat) == 0


HIT, MISS = ChallengeBox((10, 10, 10), (4, 4, 4)), ChallengeBox((50, 50, 50), (4, 4, 4))


def test_froc_by_hand():
    """Eight volumes; finds at 0.9 (six) and 0.3 (one), false positives at 0.6 (two) and 0.2 (six)."""
    volumes = [
        BoxedVolume([HIT], [HIT, MISS], [0.9, 0.6 if index < 2 else 0.2]) if index < 6 else
        BoxedVolume([HIT], [MISS, *([HIT] if index == 6 else [])], [0.2, 0.3][: 2 - (index == 7)])
        for index in range(8)
    ]  # fmt: skip
    found = froc(volumes)
    # points (false positives per volume, sensitivity): (0, 6/8), (2/8, 6/8), (2/8, 7/8), (1, 7/8)
    assert found.sensitivities == pytest.approx([6 / 8, 6 / 8, 7 / 8, 7 / 8, 7 / 8, 7 / 8, 7 / 8], abs=1e-6)
    assert found.mean == pytest.approx(np.mean(found.sensitivities))


def test_the_overlap_must_exceed_three_tenths_and_repetitions_do_not_count():
    part = ChallengeBox((10, 10, 10), (4, 4, 4 * 0.3))
    assert box_iou(HIT, part) == pytest.approx(0.3)
    below, above = ChallengeBox((10, 10, 10), (4, 4, 1.199)), ChallengeBox((10, 10, 10), (4, 4, 1.201))
    assert froc([BoxedVolume([HIT], [below], [0.7])]).mean == pytest.approx(0, abs=1e-7)
    assert froc([BoxedVolume([HIT], [above, HIT, HIT], [0.7, 0.2, 0.9])]).mean == pytest.approx(1)


def plain_froc(volumes):
    """The published definition, one threshold after the other."""
    rates, sensitivities = [], []
    for step in range(200):
        threshold, found, false = step * 0.005, 0, 0
        for truth, proposed, probability in volumes:
            hit = set()
            for box, value in zip(proposed, probability, strict=True):
                if value >= threshold:
                    overlaps = np.array([box_iou(lesion, box) for lesion in truth])
                    if len(overlaps) and overlaps.max() > 0.3:
                        hit.add(int(overlaps.argmax()))
                    else:
                        false += 1
            found += len(hit)
        rates.append(false / len(volumes))
        sensitivities.append(found / sum(len(volume.truth) for volume in volumes))
    order = np.lexsort((sensitivities, rates))
    rates, sensitivities = np.array(rates)[order], np.array(sensitivities)[order]
    return [0.0 if rate < rates[0] else np.interp(rate, rates, sensitivities) for rate in FROC_RATES]


@pytest.mark.parametrize("seed", range(4))
def test_froc_equals_a_plain_form(seed):
    rng = np.random.default_rng(seed)

    def box():
        return ChallengeBox(tuple(rng.uniform(8, 16, 3)), tuple(rng.uniform(4, 10, 3)))

    volumes = []
    for _ in range(7):  # so that only the whole rates can coincide with a point, where the order of ties matters
        proposed = [box() for _ in range(rng.integers(0, 9))]
        volumes.append(BoxedVolume([box() for _ in range(rng.integers(1, 3))], proposed, rng.random(len(proposed))))
    found, plain = froc(volumes), plain_froc(volumes)
    for rate, value, expected in zip(FROC_RATES, found.sensitivities, plain, strict=True):
        if rate < 1:
            assert value == pytest.approx(expected, abs=1e-6)
    assert found.sensitivities[-1] == pytest.approx(plain[-1], abs=1e-6)


def test_froc_needs_a_truth():
    with pytest.raises(ValueError, match="at least one true box"):
        froc([BoxedVolume([], [HIT], [0.5])])


def test_the_published_boards_come_out_again():
    """Scores that the organisers published, from figures that they rounded to four decimals."""
    found = boards(published_teams())
    published = {
        "segmentation": {"POA": 0.9722, "Vicorob": 0.9525, "Sante2024": 0.8316, "Zhaoqiaochu": 0.7925,
                         "FathomX": 0.7689, "Deadluck": 0.6916, "Strollers": 0.6622, "Eureka": 0.6154,
                         "Dolphins": 0.2602, "Infertdsc": 0.1687},
        "classification": {"Shiontao": 1.0, "Flamingo": 0.7827, "Deadluck": 0.7533, "Mispl": 0.7057,
                           "Sunggukyung": 0.5147, "POA": 0.3706, "Eureka": 0.2499, "Sante2024": 0.0155,
                           "FathomX": 0.0},
        "detection": {"Shiontao": 1.0, "Deadluck": 0.8323, "POA": 0.7442, "Vicorob": 0.5589, "Eureka": 0.5550,
                      "Sante2024": 0.5423, "FathomX": 0.4918, "Flamingo": 0.4729, "Smcnscp": 0.3104,
                      "Strollers": 0.0},
        "overall": {"Deadluck": 2.2724, "POA": 2.2253, "Sante2024": 0.8012, "Eureka": 0.5898, "FathomX": 0.4681},
    }  # fmt: skip
    for board, scores in published.items():
        assert list(found[board]) == list(scores)
        assert list(found[board].values()) == pytest.approx(list(scores.values()), abs=2e-4)


def test_a_lone_team_is_neither_first_nor_last():
    found = boards({"one": TeamFigures(dice=0.5, hd=20.0)})
    assert found == {"segmentation": {"one": 0.5}, "classification": {}, "detection": {}, "overall": {}}
