"""The mapping to the network's grid and back keeps every structure in its place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bustle.core.config import from_mapping, to_mapping
from bustle.core.data_section import ImageData
from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.core.types import Box, Geometry, ImageMapping
from bustle.data.prepared.image_grid import ImageGrid

SIZES = [(32, 32), (33, 47), (190, 310), (471, 562), (500, 333), (719, 1048), (1023, 255), (4096, 4096), (32, 4096)]


def disc(size, *, centre=(0.5, 0.5), radius=0.3):
    y, x = np.mgrid[: size[0], : size[1]]
    distance = np.hypot(y - (size[0] - 1) * centre[0], x - (size[1] - 1) * centre[1])
    return distance <= radius * min(size)


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def centroid(mask):
    return np.argwhere(mask).mean(axis=0)


def grid_of(size, resize, *, spacing=None):
    return ImageGrid.of(Geometry(size, spacing=spacing), section=ImageData(size=(256, 256), resize=resize))


def grid_by(original_size, **mapping):
    return ImageGrid(Geometry(original_size), ImageMapping(**mapping))


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("size", [*SIZES[1:7], (600, 600)])
@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.4, 0.62)])
def test_a_disc_comes_back_where_it_was(resize, size, centre):
    truth = disc(size, centre=centre)
    grid = grid_of(size, resize)
    on_grid = grid.mask_to_network(truth)
    back = grid.map_to_original(on_grid.astype(np.float32)) > 0.5
    assert iou(truth, back) > 0.97
    assert np.abs(centroid(truth) - centroid(back)).max() < 0.5


def triangle_weights(old: int, new: int) -> np.ndarray:
    """`new x old`: how much each pixel counts in each new one, a triangle about its centre two steps wide."""
    step = max(old / new, 1.0)
    centres = (np.arange(new) + 0.5) * old / new
    weights = np.maximum(1 - np.abs(np.arange(old)[None] + 0.5 - centres[:, None]) / step, 0)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("size", [(471, 562), (600, 600), (190, 310), (300, 200)])
def test_bilinear_is_the_widened_triangle_of_pil_and_torchvision_and_area_is_not(size):
    image = np.random.default_rng(0).integers(0, 256, (1, *size), np.uint8)
    expected = triangle_weights(size[0], 256) @ image[0].astype(np.float64) @ triangle_weights(size[1], 256).T
    found = {}
    for name in ("bilinear", "area"):
        section = ImageData(size=(256, 256), interpolation=name)
        found[name] = ImageGrid.of(Geometry(size), section=section).prepare(image)[0]
    assert np.abs(found["bilinear"] - expected).max() <= 1.1  # each axis is rounded to whole grey levels by itself
    shrinks = size[0] > 256
    assert (np.abs(found["area"] - expected).max() > 5) == (shrinks or size[1] > 256)


def test_only_a_named_interpolation_prepares_anew():
    """Runs, packages and prepared cases from before it could be named keep their meaning."""
    old = from_mapping(ImageData, {"size": [256, 256], "resize": "stretch"}, where="data")
    assert old.interpolation == "area"
    assert "interpolation" not in to_mapping(old)
    assert old.preparation() == {"size": [256, 256], "resize": "stretch", "multi_mask": "union"}
    named = replace(old, interpolation="bilinear")
    assert named.preparation() == {**old.preparation(), "interpolation": "bilinear"}
    assert from_mapping(ImageData, to_mapping(named), where="data") == named


@pytest.mark.parametrize("name", ["rmtl_net", "la_net", "rmtl_net/mtl-net", "mtl_cosa", "vgg16"])
def test_recipes_of_papers_that_say_bilinear_name_it(name):
    assert load_recipe(name).data.interpolation == "bilinear"
    assert load_recipe("reference").data.interpolation == "area"


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("size", SIZES)
def test_any_size_fits_and_returns(resize, size):
    image = np.full((1, *size), 200, np.uint8)
    grid = grid_of(size, resize, spacing=(0.1, 0.2))
    on_grid = grid.prepare(image)
    assert on_grid.shape == (1, 256, 256)
    assert grid.geometry.spacing == (0.1, 0.2)
    back = grid.map_to_original(on_grid[0].astype(np.float32))
    assert back.shape == size
    assert np.allclose(back, 200)


@pytest.mark.parametrize("size", [(100, 151), (300, 641)])
def test_image_and_mask_are_mapped_alike(size):
    truth = disc(size, centre=(0.3, 0.7), radius=0.2)
    image = (truth * 255).astype(np.uint8)[None]
    for resize in ("stretch", "letterbox"):
        grid = grid_of(size, resize)
        assert iou(grid.prepare(image)[0] > 127, grid.mask_to_network(truth)) > 0.97


def test_a_linear_ramp_is_not_shifted_by_shrinking_or_growing():
    for length in (64, 131, 255, 700, 1048):
        ramp = np.tile(np.linspace(0, 1, length, dtype=np.float32), (64, 1))
        grid = grid_by((64, 256), resized_size=(64, length), pad_before=(0, 0), network_size=(64, length))
        mapped = grid.map_to_original(ramp)[0]
        expected = ((np.arange(256) + 0.5) * length / 256 - 0.5) / (length - 1)
        assert np.abs(mapped - expected)[8:-8].max() < 2e-3


def test_shrinking_averages_speckle_instead_of_picking_pixels():
    stripes = np.zeros((1, 1024, 1024), np.uint8)
    stripes[:, :, ::2] = 255
    shrunk = grid_of((1024, 1024), "stretch").prepare(stripes)
    assert shrunk.std() < 1
    assert abs(shrunk.mean() - 127.5) < 1


def test_letterbox_keeps_the_aspect_ratio_and_pads_evenly_with_zeros():
    grid = grid_of((100, 200), "letterbox")
    on_grid = grid.prepare(np.full((3, 100, 200), 9, np.uint8))
    assert grid.mapping.resized_size == (128, 256)
    assert grid.mapping.pad_before == (64, 0)
    assert (on_grid[:, 64:192] == 9).all()
    assert not on_grid[:, :64].any()
    assert not on_grid[:, 192:].any()


def test_the_same_size_is_untouched():
    image = np.random.default_rng(0).integers(0, 256, (3, 256, 256), np.uint8)
    for resize in ("stretch", "letterbox"):
        grid = grid_of((256, 256), resize)
        assert np.array_equal(grid.prepare(image), image)
        assert np.array_equal(grid.map_to_original(image[0].astype(np.float32)), image[0])


def test_instance_numbers_and_dtypes_survive():
    instances = np.zeros((300, 400), np.uint8)
    instances[50:100, 50:100], instances[150:250, 200:380] = 1, 7
    grid = grid_of((300, 400), "letterbox")
    on_grid = grid.mask_to_network(instances)
    assert set(np.unique(on_grid)) == {0, 1, 7}
    assert on_grid.dtype == np.uint8
    assert grid.mask_to_network(instances > 0).dtype == np.bool_


def test_uneven_padding_is_undone():
    grid = grid_by((40, 50), resized_size=(40, 50), pad_before=(7, 3), network_size=(64, 64))
    original = np.random.default_rng(0).random((40, 50), np.float32)
    network = np.ones((64, 64), np.float32)
    network[7:47, 3:53] = original
    assert np.array_equal(grid.map_to_original(network), original)
    assert grid.box_to_network(Box(0, 0, 40, 50)) == Box(7, 3, 47, 53)


def test_the_spacing_on_the_networks_grid_is_that_of_its_own_pixels():
    assert grid_of((128, 512), "stretch", spacing=(0.1, 0.2)).network.spacing == pytest.approx((0.05, 0.4))
    letterboxed = grid_of((100, 200), "letterbox", spacing=(0.1, 0.1)).network
    assert letterboxed.original_size == (256, 256)
    assert letterboxed.spacing == pytest.approx((100 * 0.1 / 128, 200 * 0.1 / 256)), "the padding is no part of it"
    assert grid_of((100, 200), "letterbox").network.spacing is None


def test_boxes_follow_their_masks():
    for resize in ("letterbox", "stretch"):
        mask = np.zeros((471, 562), bool)
        mask[100:200, 150:300] = True
        grid = grid_of((471, 562), resize)
        box = grid.box_to_network(Box(100, 150, 200, 300))
        rows, columns = np.where(grid.mask_to_network(mask))
        assert 0 <= rows.min() - box.y_start <= 1
        assert 0 <= box.y_stop - 1 - rows.max() <= 1
        assert 0 <= columns.min() - box.x_start <= 1
        assert 0 <= box.x_stop - 1 - columns.max() <= 1
        assert grid.box_to_network(Box(-5, -5, 900, 900)) == Box(0, 0, 256, 256) or resize != "stretch"


def test_wrong_sizes_are_refused():
    with pytest.raises(InputError, match=r"the model takes images; train a model .* none comes with bustle"):
        grid_of((64, 64, 64), "stretch")
    with pytest.raises(ValueError, match="differ in size"):
        grid_of((64, 64), "stretch").mask_to_network(np.zeros((64, 65), bool))
