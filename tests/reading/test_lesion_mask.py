from __future__ import annotations

import numpy as np
import pytest

from bustle.core.types import Box
from bustle.reading.lesion_mask import LesionMask


def test_runs_hold_every_mask():
    rng = np.random.default_rng(0)
    for share in (0.05, 0.5, 0.95, 1.0):
        for _ in range(20):
            mask = rng.random(tuple(rng.integers(1, 9, 2))) < share
            if not mask.any():
                continue
            cut = LesionMask.of(mask)
            again = LesionMask.of_runs(cut.box, cut.runs)
            canvas = np.zeros_like(mask)
            again.draw(canvas)
            assert np.array_equal(canvas, mask)


def test_runs_begin_with_background():
    mask = np.array([[1, 1, 0], [0, 1, 1]], bool)
    assert LesionMask.of(mask).runs == (0, 2, 2, 2)


@pytest.mark.parametrize("runs", [(3,), (1, 2, 2), (-1, 5), ()])
def test_runs_that_do_not_fill_their_box_are_refused(runs: tuple[int, ...]):
    with pytest.raises(ValueError, match="fill its box"):
        LesionMask.of_runs(Box(0, 0, 2, 2), runs)


def test_an_empty_mask_is_no_lesion():
    with pytest.raises(ValueError, match="empty"):
        LesionMask.of(np.zeros((3, 3), bool))


def test_overlap_is_that_of_the_whole_masks():
    rng = np.random.default_rng(1)
    for _ in range(50):
        one, other = (rng.random((2, 7, 9)) < 0.3).astype(bool)
        expected = (one & other).sum() / (one | other).sum()
        assert LesionMask.of(one).overlap(LesionMask.of(other)) == pytest.approx(expected)


def test_a_moved_mask_keeps_its_form():
    mask = np.zeros((6, 6), bool)
    mask[1:3, 2] = True
    cut = LesionMask.of(mask)
    assert cut.moved((2.4, -0.6)).box == Box(3, 1, 5, 2)
    assert cut.moved((1, 0)).overlap(cut) == pytest.approx(1 / 3)
    assert cut.moved((0, 1)).overlap(cut) == 0


def test_centre_and_edge():
    mask = np.zeros((5, 8), bool)
    mask[1:4, 4:7] = True
    cut = LesionMask.of(mask)
    assert cut.centre == (2.0, 5.0)
    assert cut.area == 9
    assert not cut.touches_edge((5, 8))
    assert cut.touches_edge((4, 8))
    assert cut.touches_edge((5, 7))
