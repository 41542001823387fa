"""Volumes to cubic voxels and back: structures keep their place in millimetres."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.core.data_section import ImageData, PatchData
from bustle.core.errors import InputError
from bustle.core.types import Box, Geometry
from bustle.data.prepared.grid import boxes_to_network
from bustle.data.prepared.image_grid import ImageGrid
from bustle.data.prepared.volume_grid import VolumeGrid

SECTION = PatchData(size=(64, 32, 64), spacing_mm=0.5, channels=1, mean=(0.0,), std=(1.0,))


def grid_of(size: tuple[int, ...], spacing: tuple[float, ...] | None = (0.5, 0.07, 0.2)) -> VolumeGrid:
    return VolumeGrid.of(Geometry(size, spacing=spacing), section=SECTION)


def test_the_grid_of_a_scanner():
    """C_MSVNet, section 4.1: slices 0.5 mm, depth 0.07 mm, lateral 0.2 mm."""
    found = grid_of((318, 512, 300))
    assert found.mapping.network_size == (318, 72, 120)
    assert found.network.spacing == pytest.approx((0.5, 512 * 0.07 / 72, 0.5))


def test_a_ball_keeps_centre_and_volume():
    size = (40, 300, 110)
    found = grid_of(size)
    centre, radius = np.array((9.0, 11.0, 10.0)), 4.0
    place = np.stack(
        np.meshgrid(*[(np.arange(n) + 0.5) * s for n, s in zip(size, (0.5, 0.07, 0.2), strict=True)], indexing="ij"),
        axis=-1,
    )
    ball = np.linalg.norm(place - centre, axis=-1) < radius
    volume = np.where(ball, 200, 20).astype(np.uint8)
    step = np.array(found.network.spacing)
    for small in (found.mask_to_network(ball), found.prepare(volume[None])[0] > 110):
        assert small.shape == found.mapping.network_size
        assert (np.argwhere(small) + 0.5).mean(axis=0) * step == pytest.approx(centre, abs=0.05)
        assert small.sum() * step.prod() == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03)
    back = found.map_to_original(found.mask_to_network(ball).astype(np.float32)) > 0.5
    assert back.shape == size
    assert 2 * (back & ball).sum() / (back.sum() + ball.sum()) > 0.96


def test_every_source_voxel_is_averaged_in_where_an_axis_shrinks():
    rng = np.random.default_rng(0)
    volume = rng.integers(0, 256, (8, 64, 20), np.uint8)
    found = grid_of((8, 64, 20), spacing=(0.5, 0.0625, 0.25))
    assert found.mapping.network_size == (8, 8, 10)
    by_hand = volume.reshape(8, 8, 8, 10, 2).mean(axis=(2, 4))
    assert np.abs(found.prepare(volume[None])[0] - by_hand).max() <= 1  # rounded once per axis


def test_large_axes_are_resized_in_pieces(monkeypatch: pytest.MonkeyPatch):
    volume = np.random.default_rng(1).integers(0, 256, (30, 10, 12), np.uint8)
    found = grid_of((30, 10, 12), spacing=(0.2, 0.5, 0.5))
    whole = found.prepare(volume[None])
    monkeypatch.setattr("bustle.data.prepared.volume_grid.CHUNK", 100)
    assert np.array_equal(found.prepare(volume[None]), whole)


def test_instance_numbers_survive():
    instances = np.zeros((10, 70, 30), np.uint8)
    instances[2:5, 10:40, 5:20], instances[6:9, 20:60, 10:25] = 1, 7
    assert set(np.unique(grid_of((10, 70, 30)).mask_to_network(instances))) == {0, 1, 7}


def test_what_is_no_volume_is_refused():
    with pytest.raises(InputError, match="is an image, the model takes volumes"):
        grid_of((10, 10), spacing=(1.0, 1.0))
    with pytest.raises(InputError, match="has no voxel spacing"):
        grid_of((10, 10, 10), spacing=None)
    with pytest.raises(ValueError, match="differ in size"):
        grid_of((10, 10, 10)).mask_to_network(np.zeros((3, 3, 3), bool))


def test_a_place_keeps_its_millimetres_from_the_faces():
    found = grid_of((40, 300, 110))
    place = found.place_to_network((10.0, 150.0, 54.5))
    own, network = found.geometry, found.network
    for there, here, old, new in zip(place, (10.0, 150.0, 54.5), own.step, network.step, strict=True):
        assert (there + 0.5) * new == pytest.approx((here + 0.5) * old)
    assert found.place_to_original(place) == pytest.approx((10.0, 150.0, 54.5))


def test_numbered_parts_are_measured_where_they_lie_and_absent_ones_at_their_place():
    found = grid_of((40, 300, 110))
    parts = np.zeros((40, 300, 110), np.uint8)
    parts[4:8, 100:150, 20:31] = 2
    empty, drawn = found.measure(parts, places=[(0.0, 0.0, 10.0), (20.0, 20.0, 20.0)])
    assert (drawn.centre, drawn.voxels) == ((5.5, 124.5, 25.0), 4 * 50 * 11)
    assert drawn.volume_mm3 == pytest.approx(2200 * 0.5 * 0.07 * 0.2)
    assert (drawn.box_start, drawn.box_stop) == ((4, 100, 20), (8, 150, 31))
    assert empty.centre == pytest.approx(found.place_to_original((0.0, 0.0, 10.0)))
    assert (empty.voxels, empty.volume_mm3) == (0, 0.0)
    assert empty.box_start == tuple(round(place) for place in empty.centre)
    assert empty.box_stop == tuple(edge + 1 for edge in empty.box_start)


def test_boxes_are_brought_to_the_grid_of_an_image_only():
    boxes = (Box(0, 0, 100, 200),)
    grid = ImageGrid.of(Geometry((100, 200)), section=ImageData(size=(32, 64)))
    assert boxes_to_network(boxes, grid=grid) == (Box(0, 0, 32, 64),)
    assert boxes_to_network(None, grid=grid) is None
    assert boxes_to_network(boxes, grid=grid_of((40, 300, 110))) is None
