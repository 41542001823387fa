"""Volumes to cubic voxels and back: structures keep their place in millimetres."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.core.data_section import PatchData
from bustle.core.errors import InputError
from bustle.core.types import Geometry
from bustle.data.prepared.volume_grid import (
    cubic_geometry,
    cubic_spacing,
    map_to_original,
    mask_to_cubic,
    volume_to_cubic,
)

SECTION = PatchData(size=(64, 32, 64), spacing_mm=0.5, channels=1, mean=(0.0,), std=(1.0,))


def geometry(size: tuple[int, ...], spacing: tuple[float, ...] | None = (0.5, 0.07, 0.2)) -> Geometry:
    return cubic_geometry(Geometry(size, spacing=spacing), section=SECTION)


def test_the_grid_of_a_scanner():
    """C_MSVNet, section 4.1: slices 0.5 mm, depth 0.07 mm, lateral 0.2 mm."""
    found = geometry((318, 512, 300))
    assert found.network_size == (318, 72, 120)
    assert cubic_spacing(found) == pytest.approx((0.5, 512 * 0.07 / 72, 0.5))


def test_a_ball_keeps_centre_and_volume():
    size = (40, 300, 110)
    found = geometry(size)
    centre, radius = np.array((9.0, 11.0, 10.0)), 4.0
    place = np.stack(
        np.meshgrid(*[(np.arange(n) + 0.5) * s for n, s in zip(size, (0.5, 0.07, 0.2), strict=True)], indexing="ij"),
        axis=-1,
    )
    ball = np.linalg.norm(place - centre, axis=-1) < radius
    volume = np.where(ball, 200, 20).astype(np.uint8)
    step = np.array(cubic_spacing(found))
    for small in (mask_to_cubic(ball, geometry=found), volume_to_cubic(volume, geometry=found) > 110):
        assert small.shape == found.network_size
        assert (np.argwhere(small) + 0.5).mean(axis=0) * step == pytest.approx(centre, abs=0.05)
        assert small.sum() * step.prod() == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03)
    back = map_to_original(mask_to_cubic(ball, geometry=found).astype(np.float32), geometry=found) > 0.5
    assert back.shape == size
    assert 2 * (back & ball).sum() / (back.sum() + ball.sum()) > 0.96


def test_every_source_voxel_is_averaged_in_where_an_axis_shrinks():
    rng = np.random.default_rng(0)
    volume = rng.integers(0, 256, (8, 64, 20), np.uint8)
    found = geometry((8, 64, 20), spacing=(0.5, 0.0625, 0.25))
    assert found.network_size == (8, 8, 10)
    by_hand = volume.reshape(8, 8, 8, 10, 2).mean(axis=(2, 4))
    assert np.abs(volume_to_cubic(volume, geometry=found) - by_hand).max() <= 1  # rounded once per axis


def test_large_axes_are_resized_in_pieces(monkeypatch: pytest.MonkeyPatch):
    volume = np.random.default_rng(1).integers(0, 256, (30, 10, 12), np.uint8)
    found = geometry((30, 10, 12), spacing=(0.2, 0.5, 0.5))
    whole = volume_to_cubic(volume, geometry=found)
    monkeypatch.setattr("bustle.data.prepared.volume_grid.CHUNK", 100)
    assert np.array_equal(volume_to_cubic(volume, geometry=found), whole)


def test_instance_numbers_survive():
    instances = np.zeros((10, 70, 30), np.uint8)
    instances[2:5, 10:40, 5:20], instances[6:9, 20:60, 10:25] = 1, 7
    assert set(np.unique(mask_to_cubic(instances, geometry=geometry((10, 70, 30))))) == {0, 1, 7}


def test_what_is_no_volume_is_refused():
    with pytest.raises(InputError, match="is an image, the model takes volumes"):
        cubic_geometry(Geometry((10, 10), spacing=(1.0, 1.0)), section=SECTION)
    with pytest.raises(InputError, match="has no voxel spacing"):
        geometry((10, 10, 10), spacing=None)
    with pytest.raises(ValueError, match="differ in size"):
        mask_to_cubic(np.zeros((3, 3, 3), bool), geometry=geometry((10, 10, 10)))
