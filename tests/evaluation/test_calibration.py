"""Calibration against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from bustle.evaluation.calibration import (
    brier_parts,
    brier_scores,
    calibration_errors,
    debiased_calibration_errors,
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


@pytest.mark.parametrize(("bins", "expected"), [(5, 0.113167), (15, 0.131376)])
def test_the_error_of_bins_of_equal_width_is_that_of_netcal(bins: int, expected: float):
    """`netcal.metrics.ECE(bins).measure(…)` of netcal 1.4.0, which needs Pyro, GPyTorch and TensorBoard."""
    sure = np.round(PROBABILITY**2 / (PROBABILITY**2 + (1 - PROBABILITY) ** 2), 4)
    error = calibration_errors(POSITIVE, sure, bin_of_case=equal_width_bins(sure, bins), weights=ONE)
    assert error[0] == pytest.approx(expected, abs=1e-6)


def test_bins():
    assert np.bincount(equal_mass_bins(PROBABILITY, 10)).tolist() == [30] * 10
    assert equal_width_bins(np.array([0.0, 0.0999, 0.1, 0.95, 1.0]), 10).tolist() == [0, 0, 1, 9, 9]
    assert len(set(equal_mass_bins(np.full(20, 0.4), 10))) == 1


def test_a_calibrated_probability_lies_near_the_diagonal():
    curve = reliability_curve(POSITIVE, PROBABILITY, bin_of_case=equal_mass_bins(PROBABILITY, 5))
    assert curve.cases.sum() == 300
    assert np.abs(curve.predicted - curve.observed).max() < 0.2


PLACES = np.arange(300)
TOLD = np.round((PLACES * 37 % 300 + 0.5) / 300, 3)
HAPPENED = (PLACES * 53 % 100 + 0.5) / 100 < TOLD**1.5
"""What a network says that is too sure of the positive class."""


def test_the_debiased_error_is_that_of_uncertainty_calibration():
    """`calibration.utils.normal_debiased_ce(…, power=1, resamples=1000000)` of uncertainty-calibration 0.1.4."""
    bins = equal_mass_bins(TOLD, 10)
    assert calibration_errors(HAPPENED, TOLD, bin_of_case=bins, weights=ONE)[0] == pytest.approx(0.1)
    debiased = debiased_calibration_errors(HAPPENED, TOLD, bin_of_case=bins, weights=ONE)
    assert debiased[0] == pytest.approx(0.091148, abs=2e-4)  # its draws


def test_of_honest_probabilities_little_is_left_when_chance_is_taken_off():
    random = np.random.default_rng(0)
    plain, debiased = [], []
    for _ in range(40):
        probability = random.random(200)
        happened = random.random(200) < probability
        bins = equal_mass_bins(probability, 10)
        values = {"bin_of_case": bins, "weights": np.ones((1, 200))}
        plain.append(calibration_errors(happened, probability, **values)[0])
        debiased.append(debiased_calibration_errors(happened, probability, **values)[0])
    assert np.mean(debiased) < 0.7 * np.mean(plain)


def test_the_parts_of_the_brier_score_add_up_to_it():
    bins = equal_mass_bins(PROBABILITY, 10)
    weights = np.concatenate([ONE, RNG.integers(0, 3, size=(3, 300))]).astype(float)
    parts = brier_parts(POSITIVE, PROBABILITY, bin_of_case=bins, weights=weights)
    whole = parts.reliability - parts.resolution + parts.uncertainty + parts.within
    assert whole == pytest.approx(brier_scores(POSITIVE, PROBABILITY, weights=weights))
    share = POSITIVE.mean()
    assert parts.uncertainty[0] == pytest.approx(share * (1 - share))
    steps = np.round(PROBABILITY, 1)  # one value a bin: nothing is left within
    exact = brier_parts(POSITIVE, steps, bin_of_case=(steps * 10).round().astype(np.int64), weights=ONE)
    assert exact.within[0] == pytest.approx(0, abs=1e-12)
    by_hand = sum((p - POSITIVE[steps == p].mean()) ** 2 * (steps == p).mean() for p in np.unique(steps))
    assert exact.reliability[0] == pytest.approx(by_hand)
