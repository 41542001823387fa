from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from bustle.evaluation.agreement import bland_altman, cohens_kappa


def test_kappa_agrees_with_scikit_learn_for_every_weighting():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, 50)
    second = np.where(rng.random(50) < 0.6, first, rng.integers(0, 3, 50))
    times = np.stack([np.ones(50, int), rng.multinomial(50, np.full(50, 0.02))])
    found = cohens_kappa(first, second, weights=times.astype(float))
    expected = [cohen_kappa_score(np.repeat(first, row), np.repeat(second, row)) for row in times]
    assert found == pytest.approx(expected)


def test_kappa_of_one_category_is_undefined():
    alike = np.zeros(5, np.int64)
    assert np.isnan(cohens_kappa(alike, alike, weights=np.ones((1, 5)))).all()


def test_the_limits_of_agreement_are_those_of_bland_and_altmans_example():
    """Peak flow of 17 people by two meters (Lancet 1986, table 1): -2.1 l/min, SD 38.8, limits -79.7 to 75.5."""
    wright = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
    mini = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
    found = bland_altman(np.subtract(wright, mini).astype(float))
    assert found.bias == pytest.approx(-2.1, abs=0.05)
    assert found.limits == pytest.approx((-2.1 - 1.96 * 38.8, -2.1 + 1.96 * 38.8), abs=0.15)
    assert found.bias_interval == pytest.approx((-22.0, 17.8), abs=0.15)
    low, high = found.lower_interval
    assert (low + high) / 2 == pytest.approx(found.limits[0])
    assert found.upper_interval[1] - found.upper_interval[0] == pytest.approx(high - low)
    assert high - low > found.bias_interval[1] - found.bias_interval[0]
