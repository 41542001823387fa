"""The class head of Wang et al. on the V-Net's deepest map."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from bustle.core.recipe import load_recipe
from bustle.models.baselines.wang_2018_3d import SPEC
from bustle.models.description import describe


def test_the_classes_come_from_the_deepest_map():
    torch.manual_seed(0)
    network = SPEC.build(SPEC.tiny, in_channels=1, class_count=2).eval()
    volume = torch.randn(2, 1, 32, 48, 33)
    with torch.no_grad():
        deepest = network.vnet(volume)[0][4]
        conv, norm, _ = network.class_features
        maps = F.relu(torch.einsum("oi,bidhw->bodhw", conv.weight[:, :, 0, 0, 0], deepest) / (1 + norm.eps) ** 0.5)
        expected = network.class_head(maps.mean(dim=(2, 3, 4), keepdim=True))
        torch.testing.assert_close(network(volume).class_logits, expected)


def test_the_head_adds_its_parameters_to_the_v_net():
    recipe = load_recipe("wang_2018_3d")
    assert describe(recipe).params == 14_700_146 + 256 * 256 + 2 * 256 + 2 * 256 + 2
    assert recipe.published_as["method"] == "Wang et al. (2018b)"
