"""What a map of uncertainty tells of the wrong pixels, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bustle.evaluation.outline_errors import error_areas


def square(low: int, high: int) -> np.ndarray:
    mask = np.zeros((20, 20), bool)
    mask[low:high, low:high] = True
    return mask


def test_a_map_that_is_high_just_where_pixels_are_wrong_finds_all_of_them():
    drawn, truth = square(4, 12), square(4, 14)
    areas = error_areas((drawn != truth).astype(np.float32), drawn=drawn, truth=truth)
    assert areas.uncertainty == 1
    assert 0.5 < areas.edge < 1


def test_a_map_that_says_nothing_is_chance_and_nearness_is_counted_by_hand():
    drawn, truth = np.zeros((1, 6), bool), np.zeros((1, 6), bool)
    drawn[0, :3], truth[0, :2] = True, True  # distances to the drawn edge: 3 2 1 1 2 3, the third is wrong
    areas = error_areas(np.ones((1, 6), np.float32), drawn=drawn, truth=truth)
    assert areas.uncertainty == 0.5
    assert areas.edge == pytest.approx((4 + 0.5) / 5)


def test_the_area_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    uncertainty, drawn, truth = random.random((20, 20), np.float32).round(1), square(3, 11), square(5, 13)
    areas = error_areas(uncertainty, drawn=drawn, truth=truth)
    assert areas.uncertainty == pytest.approx(roc_auc_score((drawn != truth).ravel(), uncertainty.ravel()))


def test_without_wrong_pixels_there_is_nothing_to_find_and_without_an_edge_nothing_is_near():
    assert all(map(math.isnan, error_areas(np.ones((20, 20), np.float32), drawn=square(2, 5), truth=square(2, 5))))
    missed = error_areas(square(2, 9).astype(np.float32), drawn=square(0, 0), truth=square(2, 9))
    assert missed == (1.0, 0.5)
