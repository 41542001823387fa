"""Lesions cropped to their boxes agree with the whole masks that they come from."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.evaluation.components import Component, components_by_number


@pytest.mark.parametrize("shape", [(12, 17), (6, 9, 8)])
def test_overlaps_equal_those_of_whole_masks(shape):
    rng = np.random.default_rng(len(shape))
    first, second = (rng.integers(0, 5, shape).astype(np.uint8) for _ in range(2))
    for number, part in components_by_number(first).items():
        whole = first == number
        assert part.size == whole.sum()
        for other_number, other in components_by_number(second).items():
            assert part.shared_with(other) == (whole & (second == other_number)).sum()


def test_numbers_are_kept_and_may_have_gaps():
    instance_map = np.zeros((8, 8), np.int32)
    instance_map[1:3, 1:3], instance_map[5:, 6:] = 4, 2
    assert list(components_by_number(instance_map)) == [2, 4]
    assert components_by_number(np.zeros((3, 3, 3), np.uint8)) == {}


def test_far_components_share_nothing():
    square = np.ones((2, 2), bool)
    assert Component((0, 0), square).shared_with(Component((2, 0), square)) == 0
    assert Component((0, 0), square).shared_with(Component((1, 1), square)) == 1
