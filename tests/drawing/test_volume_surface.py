"""Surfaces of masks: the size and place in mm, whatever the spacing and the number of voxels."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.drawing.volume_surface import LONGEST_SIDE, _surface, draw_surface


def ellipsoid(shape, spacing, radii):
    grids = np.meshgrid(*(np.arange(n) * step for n, step in zip(shape, spacing, strict=True)), indexing="ij")
    middle = [(n - 1) / 2 * step for n, step in zip(shape, spacing, strict=True)]
    return sum(((grid - at) / r) ** 2 for grid, at, r in zip(grids, middle, radii, strict=True)) <= 1


@pytest.mark.parametrize("shape", [(16, 60, 40), (16, 4 * LONGEST_SIDE, 40)])
def test_corners_lie_on_the_lesions_surface_in_mm(shape):
    spacing, radii = np.array([0.5, 0.07, 0.2]), (3.0, 1.8, 3.2)
    mask = ellipsoid(shape, spacing, radii)
    corners, triangles = _surface(mask, spacing=spacing)
    middle = (np.array(shape) - 1) / 2 * spacing
    distance = np.sqrt((((corners - middle) / radii) ** 2).sum(axis=1))
    assert distance.mean() == pytest.approx(1, abs=0.06)
    assert triangles.max() < len(corners)


def test_the_picture_has_both_colours():
    spacing = (0.5, 0.1, 0.2)
    truth = ellipsoid((14, 40, 40), spacing, (2, 1.5, 3))
    found = draw_surface(truth=truth, prediction=np.roll(truth, 8, axis=2), spacing=spacing, size=(120, 160))
    assert found.shape == (3, 120, 160)
    assert found.dtype == np.uint8
    red, green, blue = found.astype(int)
    assert ((blue - red > 40) & (green - red > 20)).any()
    assert ((red - blue > 60) & (green - blue > 40)).any()


def test_nothing_to_draw_is_none_and_a_single_voxel_is_drawn():
    nothing = np.zeros((6, 6, 6), bool)
    assert draw_surface(truth=nothing, prediction=None, spacing=(1, 1, 1)) is None
    speck = nothing.copy()
    speck[2, 3, 4] = True
    assert draw_surface(truth=nothing, prediction=speck, spacing=(1, 1, 1), size=(80, 80)) is not None


def test_a_lesion_thinner_than_a_block_beside_a_large_one_is_drawn():
    wide = np.zeros((4, 3 * LONGEST_SIDE, 4), bool)
    wide[:, 0], wide[1, -1, 1] = True, True
    corners, _ = _surface(wide, spacing=np.ones(3))
    assert corners[:, 1].min() < 4
    only_speck = np.zeros_like(wide)
    only_speck[1, 100, 1] = True
    assert len(_surface(only_speck, spacing=np.ones(3))[0])
