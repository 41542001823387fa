"""Centres of lesions, where patches of volumes are taken."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.data.prepared.lesion_centres import lesion_centres


def test_centres_are_those_of_gravity_the_largest_first():
    instances = np.zeros((20, 30, 10), np.uint8)
    instances[2:5, 10:13, 1:4], instances[10:19, 20:28, 2:7] = 1, 5
    large, small = lesion_centres(instances)
    assert large == pytest.approx((14, 23.5, 4))
    assert small == pytest.approx((3, 11, 2))
    assert lesion_centres(np.zeros((4, 4, 4), np.uint8)) == []
