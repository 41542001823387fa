from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from bustle.evaluation.agreement import cohens_kappa


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
