"""Patches that cover a volume, blended by a Gaussian: checked voxel by voxel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bustle.inference.sliding_window import LEAST_WEIGHT, Window, blended, cut, gaussian, overlap_of, windows


@pytest.mark.parametrize("shape", [(40, 20, 30), (16, 8, 12), (5, 30, 7), (17, 9, 13)])
def test_windows_cover_every_voxel_and_share_at_least_the_overlap(shape: tuple[int, int, int]):
    size = (16, 8, 12)
    covered = np.zeros(shape, int)
    found = windows(shape, size=size)
    for window in found:
        covered[overlap_of(window, shape)[1]] += 1
    assert covered.min() >= 1
    for axis in range(3):
        starts = sorted({window.start[axis] for window in found})
        assert all(b - a <= 0.75 * size[axis] for a, b in itertools.pairwise(starts))
        if shape[axis] >= size[axis]:
            assert (starts[0], starts[-1]) == (0, shape[axis] - size[axis])


def test_a_cut_beyond_the_border_has_the_least_value():
    volume = np.arange(10, 10 + 4 * 3 * 5, dtype=np.uint8).reshape(1, 4, 3, 5)
    patch = cut(volume, Window((-1, 1, 3), (4, 4, 4)))
    assert np.array_equal(patch[0, 1:, :2, :2], volume[0, :3, 1:, 3:])
    assert (patch[0, 0] == 10).all()
    assert (patch[0, :, 2:] == 10).all()
    assert (cut(volume, Window((50, 0, 0), (2, 2, 2))) == 10).all()


def test_weights_are_gaussian():
    weights = gaussian((8, 16, 4))
    assert weights.shape == (8, 16, 4)
    assert (
        weights[3, 7, 1]
        == weights.max()
        == pytest.approx(np.exp(-0.5 * (0.5 / 1) ** 2 * 1 - 0.5 * (0.5 / 2) ** 2 - 0.5))
    )
    assert weights.min() == pytest.approx(LEAST_WEIGHT)


def test_blending_is_the_weighted_mean_of_all_patches():
    rng = np.random.default_rng(0)
    volume = rng.integers(0, 256, (1, 21, 9, 14), np.uint8)
    size = (16, 8, 12)
    said: list[np.ndarray] = []

    def run(patch: np.ndarray) -> np.ndarray:
        said.append(np.concatenate([patch / np.float32(255), rng.random((1, *size), np.float32)]))
        return said[-1]

    result = blended(volume, size=size, run=run)
    total, mass = np.zeros((2, 21, 9, 14)), np.zeros((21, 9, 14))
    for window, output in zip(windows(volume.shape[1:], size=size), said, strict=True):
        place = tuple(slice(begin, begin + edge) for begin, edge in zip(window.start, size, strict=True))
        total[(slice(None), *place)] += output * gaussian(size)
        mass[place] += gaussian(size)
    assert np.abs(result - total / mass).max() < 1e-6
    assert np.abs(result[0] - volume[0] / 255).max() < 1e-6, "patches that agree stay as they are"
