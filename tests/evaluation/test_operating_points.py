"""Thresholds and net benefit against dcurves, scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve
from tests.evaluation.test_calibration import HAPPENED, TOLD

from bustle.evaluation.operating_points import at_sensitivity, net_benefits, net_benefits_of_all


def test_net_benefit_is_that_of_dcurves():
    """`dca(…, thresholds=[0.05, 0.1, 0.2, 0.35, 0.52])` of dcurves 1.1.7."""
    thresholds = np.array([0.05, 0.1, 0.2, 0.35, 0.52])
    found = net_benefits(HAPPENED, TOLD, thresholds=thresholds)
    assert found == pytest.approx([0.371053, 0.340741, 0.2875, 0.224359, 0.153611], abs=1e-6)
    everybody = net_benefits_of_all(HAPPENED, thresholds=thresholds)
    assert everybody == pytest.approx([0.368421, 0.333333, 0.25, 0.076923, -0.25], abs=1e-6)


@pytest.mark.parametrize("target", [0.9, 0.95, 0.98, 1.0])
def test_the_threshold_is_the_largest_that_reaches_the_sensitivity(target: float):
    random = np.random.default_rng(1)
    truth = random.random(400) < 0.3
    score = np.round(np.where(truth, 0.6, 0.4) + 0.2 * random.normal(size=400), 2).clip(0, 1)
    found = at_sensitivity(truth, score, target=target, weights=np.ones((1, 400)))
    false_rate, true_rate, thresholds = roc_curve(truth, score, drop_intermediate=False)
    place = int(np.argmax(true_rate >= target - 1e-9))
    assert found.threshold[0] == thresholds[place]
    assert found.sensitivity[0] == pytest.approx(true_rate[place])
    assert found.specificity[0] == pytest.approx(1 - false_rate[place])


def test_weights_count_as_repeated_cases():
    random = np.random.default_rng(2)
    truth, score = random.random(80) < 0.4, random.random(80)
    times = random.integers(0, 3, 80)
    weighted = at_sensitivity(truth, score, target=0.95, weights=times[None].astype(float))
    repeated = at_sensitivity(
        np.repeat(truth, times), np.repeat(score, times), target=0.95, weights=np.ones((1, times.sum()))
    )
    assert weighted.threshold == repeated.threshold
    assert weighted.specificity == pytest.approx(repeated.specificity)


def test_without_a_positive_case_there_is_no_threshold_to_reach():
    truth, score = np.array([True, False, False]), np.array([0.9, 0.5, 0.1])
    found = at_sensitivity(truth, score, target=0.95, weights=np.array([[1.0, 1, 1], [0, 2, 1], [3, 0, 0]]))
    assert found.threshold == pytest.approx([0.9, np.nan, 0.9], nan_ok=True)
    assert found.sensitivity == pytest.approx([1, np.nan, 1], nan_ok=True)
    assert found.specificity == pytest.approx([1, np.nan, np.nan], nan_ok=True)
