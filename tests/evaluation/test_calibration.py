"""Calibration against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from bustle.evaluation.calibration import (
    brier_scores,
    calibration_errors,
    equal_mass_bins,
    equal_width_bins,
    reliability_curve,
)

RNG = np.random.default_rng(1)
PROBABILITY = RNG.random(300)
POSITIVE = RNG.random(300) < PROBABILITY
ONE = np.ones((1, 300))


def test_brier_equals_scikit_learn():
    assert brier_scores(POSITIVE, PROBABILITY, weights=ONE)[0] == pytest.approx(
        brier_score_loss(POSITIVE, PROBABILITY)
    )


def test_calibration_error_by_hand():
    probability = np.array([0.1, 0.2, 0.8, 0.9])
    positive = np.array([False, True, True, True])
    bins = equal_width_bins(probability, 2)
    error = calibration_errors(positive, probability, bin_of_case=bins, weights=np.ones((1, 4)))
    assert error[0] == pytest.approx(0.5 * abs(0.15 - 0.5) + 0.5 * abs(0.85 - 1))


def test_calibration_error_of_resamples_equals_a_loop():
    bins = equal_mass_bins(PROBABILITY, 10)
    weights = RNG.integers(0, 3, size=(6, 300)).astype(float)
    found = calibration_errors(POSITIVE, PROBABILITY, bin_of_case=bins, weights=weights)
    for row, times in enumerate(weights.astype(int)):
        p, y, b = (np.repeat(values, times) for values in (PROBABILITY, POSITIVE, bins))
        loop = sum(abs(p[b == k].mean() - y[b == k].mean()) * (b == k).mean() for k in np.unique(b))
        assert found[row] == pytest.approx(loop)


def test_bins():
    assert np.bincount(equal_mass_bins(PROBABILITY, 10)).tolist() == [30] * 10
    assert equal_width_bins(np.array([0.0, 0.0999, 0.1, 0.95, 1.0]), 10).tolist() == [0, 0, 1, 9, 9]
    assert len(set(equal_mass_bins(np.full(20, 0.4), 10))) == 1


def test_a_calibrated_probability_lies_near_the_diagonal():
    curve = reliability_curve(POSITIVE, PROBABILITY, bin_of_case=equal_mass_bins(PROBABILITY, 5))
    assert curve.cases.sum() == 300
    assert np.abs(curve.predicted - curve.observed).max() < 0.2
