from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from bustle.evaluation.class_curves import precision_recall_curve, roc_curve


def scored(seed: int, *, levels: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Classes and scores of 60 cases; with `levels` many of the scores are equal."""
    random = np.random.default_rng(seed)
    positive = random.permutation(np.arange(60) < random.integers(1, 59))
    score = random.random(60) + 0.3 * positive
    return positive, score if levels is None else np.round(score * levels) / levels


@pytest.mark.parametrize("levels", [None, 7, 1])
@pytest.mark.parametrize("seed", range(5))
def test_both_curves_are_those_of_scikit_learn(seed: int, levels: int | None):
    positive, score = scored(seed, levels=levels)
    false_rate, true_rate, _ = reference.roc_curve(positive, score)
    precision, recall, _ = reference.precision_recall_curve(positive, score)
    assert np.array_equal(roc_curve(positive, score), (false_rate, true_rate))
    assert np.array_equal(precision_recall_curve(positive, score), (precision, recall))


def test_a_roc_curve_by_hand():
    positive = np.array([True, False, True, False])
    false_rate, true_rate = roc_curve(positive, [0.9, 0.8, 0.8, 0.1])
    assert false_rate.tolist() == [0, 0, 0.5, 1]
    assert true_rate.tolist() == [0, 0.5, 1, 1]
