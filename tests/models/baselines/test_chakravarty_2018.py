"""Where Chakravarty and Sivaswamy join the map with the features, and what flows back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models import zoo
from bustle.models.baselines.chakravarty_2018 import SPEC, with_map
from bustle.models.description import describe


def test_the_map_joins_the_deepest_features_at_their_size():
    with torch.device("meta"):
        model = zoo.build("chakravarty_2018", {}, in_channels=3, class_count=2)
        deepest = model.get_submodule("encoder")(torch.empty(2, 3, 256, 256))[-1]
        assert deepest.shape == (2, 1024, 16, 16)
        assert with_map(deepest, torch.empty(2, 1, 256, 256)).shape == (2, 1025, 16, 16)
    assert model.get_submodule("class_features.0").in_channels == 1025


def test_a_cell_of_the_map_is_its_mean_probability():
    logits = torch.full((1, 1, 8, 8), -50.0)
    logits[..., :4, :2] = 50.0
    joined = with_map(torch.zeros(1, 3, 2, 2), logits)
    assert torch.equal(joined[:, :3], torch.zeros(1, 3, 2, 2))
    torch.testing.assert_close(joined[:, 3:], torch.tensor([[[[0.5, 0.0], [0.0, 0.0]]]]))


@pytest.mark.parametrize("detach", [False, True])
def test_the_classes_teach_the_mask_unless_told_not_to(detach: bool):
    torch.manual_seed(0)
    model = SPEC.build(replace(SPEC.tiny, detach_map=detach), in_channels=3, class_count=2)
    model(torch.randn(2, 3, 64, 64)).class_logits.square().sum().backward()
    gradient = model.get_parameter("mask_head.weight").grad
    assert (gradient is None) if detach else (gradient is not None and gradient.abs().max() > 0)


def test_the_parameters_are_the_unets_and_the_class_branchs():
    unet = 31_037_633  # the plain U-Net of 64 to 1024 channels
    branch = 9 * 1025 * 256 + 9 * 256 * 256 + 4 * 256 + 256 * 2 + 2
    assert describe(load_recipe("chakravarty_2018")).params == unet + branch == 33_990_595


@pytest.mark.parametrize(
    ("config", "message"),
    [({"widths": [8]}, "widths must be"), ({"class_width": 0}, "class_width must be")],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        zoo.build("chakravarty_2018", config, in_channels=3, class_count=2)
