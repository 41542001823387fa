"""What is particular to SC-Net: both heads are linear in the same last features."""

from __future__ import annotations

import pytest
import torch

from bustle.core.recipe import load_recipe
from bustle.models import zoo
from bustle.models.description import describe


def test_the_parameters_are_resnet_50_and_two_linear_heads():
    assert describe(load_recipe("sc_net")).params == 23_508_032 + 2 * (2048 * 2 + 2)


def test_the_mean_of_the_mask_head_is_the_mask_head_of_the_mean():
    model = zoo.build("sc_net", {"backbone": "test_resnet"}, in_channels=3, class_count=2).eval()
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        deepest = model.get_submodule("encoder")(image)[-1]
        assert deepest.shape[-2:] == (2, 2)
        pooled = deepest.mean(dim=(2, 3))
        output = model(image)
        torch.testing.assert_close(output.class_logits, model.get_submodule("class_head")(pooled[..., None, None]))
        # bilinear enlargement by a whole factor keeps the mean
        expected = model.get_submodule("mask_head")(pooled[..., None, None]).squeeze()
        torch.testing.assert_close(output.mask_logits.mean(dim=(2, 3)), expected)


def test_lesion_pixels_weigh_four_times_in_plain_cross_entropy():
    options = load_recipe("sc_net").losses[0].options
    assert options["gamma"] == 0
    assert options["alpha"] / (1 - options["alpha"]) == pytest.approx(4)
