"""FROC by hand, against a plain form, and its intervals against explicit resampling."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from bustle.core.config import to_mapping
from bustle.evaluation.detection import DetectedCase
from bustle.evaluation.froc import froc_curve, summarise_detection
from bustle.evaluation.metrics import FROC_RATES, LESION_DETECTION
from bustle.evaluation.statistics import GroupResamples, exact_interval

HAND = [
    DetectedCase(case_id="1", group_id="a", hit_scores=(0.9, None), lesion_mm3=(500.0, 2000.0), false_scores=(0.8,)),
    DetectedCase(case_id="2", group_id="b", hit_scores=(0.5,), lesion_mm3=(500.0,), false_scores=()),
    DetectedCase(case_id="3", group_id="c", hit_scores=(), lesion_mm3=(), false_scores=(0.5, 0.2)),
    DetectedCase(case_id="4", group_id="c", hit_scores=(), lesion_mm3=(), false_scores=()),
]


def made_up(count, *, seed):
    rng = np.random.default_rng(seed)
    cases = []
    for index in range(count):
        lesions = rng.integers(0, 3)
        cases.append(
            DetectedCase(
                case_id=str(index),
                group_id=f"p{index // 2}",
                hit_scores=tuple(
                    None if rng.random() < 0.3 else float(rng.integers(1, 20)) / 20 for _ in range(lesions)
                ),
                lesion_mm3=tuple(rng.uniform(100, 2000, lesions).tolist()),
                false_scores=tuple(float(rng.integers(1, 20)) / 20 for _ in range(rng.integers(0, 6))),
            )
        )
    return cases


def plain_sensitivity(cases, rate):
    """The greatest sensitivity of any threshold with at most `rate` false positives per case."""
    lesions = sum(len(case.hit_scores) for case in cases)
    best = 0.0
    for threshold in np.linspace(0, 1.05, 106):
        false = sum(score >= threshold - 1e-9 for case in cases for score in case.false_scores)
        found = sum(s is not None and s >= threshold - 1e-9 for case in cases for s in case.hit_scores)
        if false / len(cases) <= rate + 1e-9:
            best = max(best, found / lesions)
    return best


def test_the_curve_by_hand():
    curve = froc_curve(HAND)
    assert curve.threshold.tolist() == [np.inf, 0.9, 0.8, 0.5, 0.2]
    np.testing.assert_allclose(curve.false_positives, [0, 0, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(curve.sensitivity, [0, 1 / 3, 1 / 3, 2 / 3, 2 / 3])


def test_the_figures_by_hand():
    found = summarise_detection(HAND, least_iou=0.2, threshold=0.5, resamples=50)
    assert found.estimates["lesion_sensitivity"].mean == pytest.approx(2 / 3)
    assert found.estimates["false_positives_per_case"].mean == pytest.approx(0.5)
    assert [found.estimates[f"sensitivity_at_{rate:g}"].mean for rate in FROC_RATES] == pytest.approx(
        [1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3]
    )
    assert found.estimates["cpm"].mean == pytest.approx((2 / 3 + 5 * 2 / 3) / 7)
    assert (found.n_cases, found.n_lesions, found.hit_rule) == (4, 3, "IoU of at least 0.2")
    assert (found.estimates["lesion_sensitivity"].n, found.estimates["false_positives_per_case"].n) == (3, 4)
    json.dumps(to_mapping(found), allow_nan=False)


@pytest.mark.parametrize("seed", range(5))
def test_sensitivities_equal_a_plain_form(seed):
    cases = made_up(24, seed=seed)
    found = summarise_detection(cases, least_iou=0.1, threshold=0.6, resamples=10)
    for rate in FROC_RATES:
        assert found.estimates[f"sensitivity_at_{rate:g}"].mean == pytest.approx(plain_sensitivity(cases, rate))


def test_intervals_resample_whole_patients():
    cases = made_up(12, seed=9)
    found = summarise_detection(cases, least_iou=0.1, threshold=0.4, resamples=60, seed=3)
    weights = GroupResamples.draw([case.group_id for case in cases], resamples=60, seed=3).weights
    explicit = []
    for row in weights:
        drawn = [case for case, times in zip(cases, row, strict=True) for _ in range(int(times))]
        if any(case.hit_scores for case in drawn):
            explicit.append(np.mean([plain_sensitivity(drawn, rate) for rate in FROC_RATES]))
    assert found.estimates["cpm"].ci95 == pytest.approx(np.percentile(explicit, [2.5, 97.5]).tolist())
    assert set(LESION_DETECTION) == set(found.estimates)


def test_blocks_of_resamples_make_no_difference(monkeypatch):
    whole = summarise_detection(made_up(8, seed=1), least_iou=0.1, threshold=0.4, resamples=40)
    monkeypatch.setattr("bustle.evaluation.row_blocks.NUMBERS", 1)
    assert summarise_detection(made_up(8, seed=1), least_iou=0.1, threshold=0.4, resamples=40) == whole


def test_without_lesions_there_is_no_figure_and_without_candidates_it_is_zero():
    normals = [DetectedCase(case_id="5", group_id="a", hit_scores=(), lesion_mm3=(), false_scores=(0.4,))]
    assert summarise_detection(normals, least_iou=0.1, threshold=0.5) is None
    with pytest.raises(ValueError, match="at least one true lesion"):
        froc_curve(normals)
    silent = [DetectedCase(case_id="6", group_id="a", hit_scores=(None,), lesion_mm3=(500.0,), false_scores=())]
    found = summarise_detection(silent, least_iou=0.1, threshold=0.5, resamples=5)
    assert found.estimates["cpm"].mean == found.estimates["lesion_sensitivity"].mean == 0
    assert found.estimates["cpm"].ci95 is None
    assert found.estimates["lesion_sensitivity"].ci95 == pytest.approx((0, 0.975))  # of one patient


def test_small_and_large_lesions_by_hand():
    """Lesions of 500 mm³ found with 0.9 and 0.5, one of 2000 mm³ not found; the border itself is small."""
    found = summarise_detection(HAND, least_iou=0.1, threshold=0.6, resamples=200).by_size
    assert (found.unit, found.border) == ("mm³", 1000)
    assert (found.small.mean, found.small.n) == (0.5, 2)
    assert (found.large.mean, found.large.n) == (0, 1)
    assert found.small.ci95 == pytest.approx(exact_interval(0.5, n=2))
    border = replace(HAND[1], lesion_mm3=(1000.0,))
    assert summarise_detection([border], least_iou=0.1, threshold=0.6, resamples=5).by_size.large is None


def test_lesions_of_two_patients_say_nothing_of_others():
    cases = [
        replace(case, group_id=str(number), **({} if number < 2 else {"hit_scores": (), "lesion_mm3": ()}))
        for number, case in enumerate(replace(HAND[0], case_id=str(number)) for number in range(12))
    ]
    found = summarise_detection(cases, least_iou=0.1, threshold=0.4, resamples=50).estimates
    assert found["cpm"].ci95 is None
    assert found["lesion_sensitivity"].ci95 == pytest.approx(exact_interval(found["lesion_sensitivity"].mean, n=2))
