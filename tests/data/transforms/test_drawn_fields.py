from __future__ import annotations

import numpy as np
import pytest

from bustle.data.transforms.drawn_fields import depth_gain, marks_field, speckle_field


def test_speckle_is_standard_and_as_coarse_as_its_grain():
    fine, coarse = (speckle_field((200, 200), grain=grain, seed=3) for grain in (0.5, 3.0))
    for field in (fine, coarse):
        assert field.mean() == pytest.approx(0, abs=1e-4)
        assert field.std() == pytest.approx(1, abs=1e-4)
    neighbours = [float((field[:, 1:] * field[:, :-1]).mean()) for field in (fine, coarse)]
    assert neighbours[0] < 0.5 < neighbours[1]
    assert np.array_equal(fine, speckle_field((200, 200), grain=0.5, seed=3))
    assert not np.array_equal(fine, speckle_field((200, 200), grain=0.5, seed=4))


def test_gain_over_depth_by_hand():
    gain = depth_gain(101, stops=1.0)
    assert gain[[0, 50, 100]] == pytest.approx([0.5, 1.0, 2.0])
    assert depth_gain(11, stops=-1.0)[0] == pytest.approx(2.0)


def test_marks_are_few_thin_and_of_the_grey_asked_for():
    painted = [marks_field((176, 224), count=4, grey=200, seed=seed) for seed in range(30)]
    assert {int(field.max()) for field in painted} == {200}  # letters may fade at their edges
    assert any(field.any() for field in painted)
    shares = [float((field > 0).mean()) for field in painted]
    assert min(shares) > 0
    assert max(shares) < 0.05
