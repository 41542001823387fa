"""The predicted map of a volume beside the deepest features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bustle.core.config import from_mapping
from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models.baselines.chakravarty_2018_3d import SPEC, Config, with_map
from bustle.models.description import describe


def test_the_map_is_averaged_in_the_cells_of_the_deepest_features():
    logits = torch.randn(2, 2, 32, 16, 40)
    deepest = torch.randn(2, 3, 2, 1, 3)
    found = with_map(deepest, logits).numpy()
    probability = 1 / (1 + np.exp(-(logits[:, 1] - logits[:, 0]).numpy()))
    padded = np.zeros((2, 32, 16, 48))
    padded[..., :40] = probability
    cells = padded.reshape(2, 2, 16, 1, 16, 3, 16).mean(axis=(2, 4, 6))
    np.testing.assert_allclose(found[:, 3], cells)
    np.testing.assert_array_equal(found[:, :3], deepest)


@pytest.mark.parametrize("detach", [False, True])
def test_the_classes_teach_the_mask_unless_detached(detach: bool):
    torch.manual_seed(0)
    network = SPEC.build(replace(SPEC.tiny, detach_map=detach), in_channels=1, class_count=2)
    network(torch.randn(2, 1, 32, 32, 32)).class_logits.square().sum().backward()
    assert (network.vnet.mask_head.weight.grad is None) == detach


def test_the_head_adds_its_parameters_to_the_v_net():
    branch = (257 * 27 * 64 + 128) + (64 * 27 * 64 + 128) + 65 * 2
    assert describe(load_recipe("chakravarty_2018_3d")).params == 14_700_146 + branch


def test_impossible_settings_are_told():
    with pytest.raises(InputError, match="class_width must be at least 1"):
        from_mapping(Config, {"class_width": 0}, where="model.config")
