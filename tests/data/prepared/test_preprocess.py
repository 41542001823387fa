"""The mapping to the network's grid and back keeps every structure in its place."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.core.data_section import ImageData
from bustle.core.errors import InputError
from bustle.core.types import Box, Geometry
from bustle.data.prepared.preprocess import (
    box_to_network_grid,
    map_to_original_grid,
    mask_to_network_grid,
    normalise,
    to_network_grid,
)

SIZES = [(32, 32), (33, 47), (190, 310), (471, 562), (500, 333), (719, 1048), (1023, 255), (4096, 4096), (32, 4096)]


def disc(size, *, centre=(0.5, 0.5), radius=0.3):
    y, x = np.mgrid[: size[0], : size[1]]
    distance = np.hypot(y - (size[0] - 1) * centre[0], x - (size[1] - 1) * centre[1])
    return distance <= radius * min(size)


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def centroid(mask):
    return np.argwhere(mask).mean(axis=0)


def section(resize, size=(256, 256)):
    return ImageData(size=size, resize=resize)


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("size", [*SIZES[1:7], (600, 600)])
@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.4, 0.62)])
def test_a_disc_comes_back_where_it_was(resize, size, centre):
    truth = disc(size, centre=centre)
    _, geometry = to_network_grid(np.zeros((1, *size), np.uint8), section=section(resize))
    on_grid = mask_to_network_grid(truth, geometry=geometry)
    back = map_to_original_grid(on_grid.astype(np.float32), geometry=geometry) > 0.5
    assert iou(truth, back) > 0.97
    assert np.abs(centroid(truth) - centroid(back)).max() < 0.5


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("size", SIZES)
def test_any_size_fits_and_returns(resize, size):
    image = np.full((1, *size), 200, np.uint8)
    on_grid, geometry = to_network_grid(image, section=section(resize), spacing=(0.1, 0.2))
    assert on_grid.shape == (1, 256, 256)
    assert geometry.spacing == (0.1, 0.2)
    back = map_to_original_grid(on_grid[0].astype(np.float32), geometry=geometry)
    assert back.shape == size
    assert np.allclose(back, 200)


@pytest.mark.parametrize("size", [(100, 151), (300, 641)])
def test_image_and_mask_are_mapped_alike(size):
    truth = disc(size, centre=(0.3, 0.7), radius=0.2)
    image = (truth * 255).astype(np.uint8)[None]
    for resize in ("stretch", "letterbox"):
        on_grid, geometry = to_network_grid(image, section=section(resize))
        assert iou(on_grid[0] > 127, mask_to_network_grid(truth, geometry=geometry)) > 0.97


def test_a_linear_ramp_is_not_shifted_by_shrinking_or_growing():
    for length in (64, 131, 255, 700, 1048):
        ramp = np.tile(np.linspace(0, 1, length, dtype=np.float32), (64, 1))
        geometry = Geometry((64, 256), None, None, None, (0, 0), (64, 256), (64, length), (0, 0), (64, length))
        mapped = map_to_original_grid(ramp, geometry=geometry)[0]
        expected = ((np.arange(256) + 0.5) * length / 256 - 0.5) / (length - 1)
        assert np.abs(mapped - expected)[8:-8].max() < 2e-3


def test_shrinking_averages_speckle_instead_of_picking_pixels():
    stripes = np.zeros((1, 1024, 1024), np.uint8)
    stripes[:, :, ::2] = 255
    shrunk, _ = to_network_grid(stripes, section=section("stretch"))
    assert shrunk.std() < 1
    assert abs(shrunk.mean() - 127.5) < 1


def test_letterbox_keeps_the_aspect_ratio_and_pads_evenly_with_zeros():
    on_grid, geometry = to_network_grid(np.full((3, 100, 200), 9, np.uint8), section=section("letterbox"))
    assert geometry.resized_size == (128, 256)
    assert geometry.pad_before == (64, 0)
    assert (on_grid[:, 64:192] == 9).all()
    assert not on_grid[:, :64].any()
    assert not on_grid[:, 192:].any()


def test_the_same_size_is_untouched():
    image = np.random.default_rng(0).integers(0, 256, (3, 256, 256), np.uint8)
    for resize in ("stretch", "letterbox"):
        on_grid, geometry = to_network_grid(image, section=section(resize))
        assert np.array_equal(on_grid, image)
        assert np.array_equal(map_to_original_grid(image[0].astype(np.float32), geometry=geometry), image[0])


def test_instance_numbers_and_dtypes_survive():
    instances = np.zeros((300, 400), np.uint8)
    instances[50:100, 50:100], instances[150:250, 200:380] = 1, 7
    _, geometry = to_network_grid(np.zeros((1, 300, 400), np.uint8), section=section("letterbox"))
    on_grid = mask_to_network_grid(instances, geometry=geometry)
    assert set(np.unique(on_grid)) == {0, 1, 7}
    assert on_grid.dtype == np.uint8
    assert mask_to_network_grid(instances > 0, geometry=geometry).dtype == np.bool_


def test_a_crop_in_the_geometry_is_undone():
    geometry = Geometry((100, 100), None, None, None, (20, 30), (40, 50), (40, 50), (7, 3), (64, 64))
    original = np.random.default_rng(0).random((100, 100), np.float32)
    network = np.zeros((64, 64), np.float32)
    network[7:47, 3:53] = original[20:60, 30:80]
    back = map_to_original_grid(network, geometry=geometry)
    assert np.array_equal(back[20:60, 30:80], original[20:60, 30:80])
    assert np.count_nonzero(back) == 2000
    assert box_to_network_grid(Box(20, 30, 60, 80), geometry=geometry) == Box(7, 3, 47, 53)


def test_boxes_follow_their_masks():
    for resize in ("letterbox", "stretch"):
        mask = np.zeros((471, 562), bool)
        mask[100:200, 150:300] = True
        _, geometry = to_network_grid(np.zeros((1, 471, 562), np.uint8), section=section(resize))
        box = box_to_network_grid(Box(100, 150, 200, 300), geometry=geometry)
        rows, columns = np.where(mask_to_network_grid(mask, geometry=geometry))
        assert 0 <= rows.min() - box.y_start <= 1
        assert 0 <= box.y_stop - 1 - rows.max() <= 1
        assert 0 <= columns.min() - box.x_start <= 1
        assert 0 <= box.x_stop - 1 - columns.max() <= 1
        assert (
            box_to_network_grid(Box(-5, -5, 900, 900), geometry=geometry) == Box(0, 0, 256, 256)
            or resize != "stretch"
        )


def test_normalise_repeats_grey_and_scales_each_channel():
    grey = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3)
    three = ImageData(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 2.0))
    expected = [[-1, -0.6, 1], [-1, -0.2, 3], [0, 0.1, 0.5]]
    assert np.allclose(normalise(grey, section=three)[:, 0], expected, atol=1e-6)
    assert normalise(np.stack([grey, grey]), section=three).shape == (2, 3, 1, 3)
    assert normalise(grey, section=three).dtype == np.float32


def test_normalise_turns_colour_into_luma_for_a_grey_network():
    one = ImageData(channels=1, mean=(0.0,), std=(1.0,))
    colour = np.zeros((3, 1, 2), np.uint8)
    colour[0, 0, 0], colour[:, 0, 1] = 255, 100
    assert np.allclose(normalise(colour, section=one), [[[0.299, 100 / 255]]], atol=1e-6)


def test_wrong_sizes_are_refused():
    with pytest.raises(InputError, match="is a volume, the model takes images"):
        to_network_grid(np.zeros((1, 64, 64, 64), np.uint8), section=section("stretch"))
    _, geometry = to_network_grid(np.zeros((1, 64, 64), np.uint8), section=section("stretch"))
    with pytest.raises(ValueError, match="differ in size"):
        mask_to_network_grid(np.zeros((64, 65), bool), geometry=geometry)
    with pytest.raises(ValueError, match="no mapping"):
        map_to_original_grid(np.zeros((8, 8), np.float32), geometry=Geometry((8, 8)))
