"""The spatial pyramid of Chen et al.: its cells, what it reads, and the released layout's size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models import zoo
from bustle.models.baselines.chen_2018 import SPEC
from bustle.models.blocks.pyramid_pool import pyramid_pool
from bustle.models.description import describe


def double_conv(inputs: int, outputs: int) -> int:
    return 9 * inputs * outputs + 9 * outputs * outputs + 4 * outputs  # two batch norms


def test_the_parameters_are_those_of_the_released_layout():
    widths = (64, 128, 256, 512, 512, 512)
    down = sum(double_conv(i, o) for i, o in zip((3, *widths), widths, strict=False))
    up = sum(double_conv(i, o) for i, o in ((1024, 512), (1024, 256), (512, 128), (256, 64), (128, 64)))
    classes = 21 * 512 * 512 + 512 + 512 * 2 + 2
    assert describe(load_recipe("chen_2018")).params == down + up + 65 + classes == 30_698_499


def test_the_pyramid_has_21_cells_of_512_channels_after_the_fourth_down_sampling():
    with torch.device("meta"):
        model = zoo.build("chen_2018", {}, in_channels=3, class_count=2)
        maps = model.get_submodule("encoder")(torch.empty(2, 3, 256, 256))
        assert maps[4].shape == (2, 512, 16, 16)
        assert pyramid_pool(maps[4], (4, 2, 1)).shape == (2, 512, 21)
    assert model.get_submodule("class_head.0").in_features == 21 * 512


def test_with_a_resnet_the_pyramid_reads_its_map_of_stride_16():
    with torch.device("meta"):
        model = zoo.build("chen_2018", {"backbone": "resnet18"}, in_channels=3, class_count=2)
        maps = model.get_submodule("encoder")(torch.empty(2, 3, 256, 256))
    assert maps[model.pyramid_level].shape == (2, 256, 16, 16)
    assert model.get_submodule("class_head.0").in_features == 21 * 256
    assert load_recipe("chen_2018/resnet18").model.config["backbone"] == "resnet18"
    options = {"backbone": "resnet18", "backbone_options": {"output_stride": 8}}
    with pytest.raises(InputError, match="has no map of stride 16"):
        zoo.build("chen_2018", options, in_channels=3, class_count=2)


def test_the_plain_network_has_no_published_weights():
    with pytest.raises(InputError, match="the plain U-Net has no published encoder weights"):
        zoo.build("chen_2018", {}, in_channels=3, class_count=2, encoder_weights="imagenet")


def test_cells_hold_the_maxima_of_the_grids():
    maps = np.random.default_rng(0).normal(size=(2, 3, 8, 12)).astype(np.float32)
    wanted = [maps[:, :, 2 * i : 2 * i + 2, 3 * j : 3 * j + 3].max(axis=(2, 3)) for i in range(4) for j in range(4)]
    wanted += [maps[:, :, 4 * i : 4 * i + 4, 6 * j : 6 * j + 6].max(axis=(2, 3)) for i in range(2) for j in range(2)]
    wanted += [maps.max(axis=(2, 3))]
    np.testing.assert_array_equal(pyramid_pool(torch.from_numpy(maps), (4, 2, 1)), np.stack(wanted, axis=-1))


@pytest.mark.parametrize("size", [(2, 2), (3, 7), (5, 1)])
def test_maps_that_a_grid_does_not_divide_are_pooled_adaptively(size: tuple[int, int]):
    maps = torch.randn(2, 3, *size)
    wanted = [torch.nn.functional.adaptive_max_pool2d(maps, grid).flatten(2) for grid in (4, 2, 1)]
    assert torch.equal(pyramid_pool(maps, (4, 2, 1)), torch.cat(wanted, dim=2))


def test_the_class_head_is_linear():
    """No activation stands between its two layers, so that it is additive."""
    model = SPEC.build(SPEC.tiny, in_channels=1, class_count=2).eval()
    head = model.get_submodule("class_head")
    first, second = torch.randn(2, 1, 24 * 21).unbind(0)
    zero = torch.zeros_like(first)
    torch.testing.assert_close(head(first + second) + head(zero), head(first) + head(second))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"grids": []}, "grids must be"),
        ({"hidden": 0}, "hidden must be"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"widths": [8, 8]}, "a list of 6 values"),
    ],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        zoo.build("chen_2018", config, in_channels=3, class_count=2)
