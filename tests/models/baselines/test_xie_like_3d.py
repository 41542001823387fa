"""The stand-in for Xie et al. in three dimensions says what it is, and has no link between its heads."""

from __future__ import annotations

import torch

from bustle.core.recipe import load_recipe
from bustle.models.baselines import xie_like_3d
from bustle.models.baselines.xie_like_3d import SPEC
from bustle.models.description import describe


def test_it_admits_to_be_an_approximation():
    assert "NOT that method" in (xie_like_3d.__doc__ or "")
    assert any("approximation" in text and "not those" in text for text in SPEC.deviations)


def test_the_classes_read_the_deepest_map_and_nothing_of_the_way_up():
    network = SPEC.build(SPEC.tiny, in_channels=1, class_count=2)
    network(torch.randn(2, 1, 32, 32, 32)).class_logits.sum().backward()
    touched = {name.split(".")[1] for name, p in network.named_parameters() if p.grad is not None and "vnet" in name}
    assert touched == {"down"}


def test_the_head_adds_its_parameters_to_the_v_net():
    assert describe(load_recipe("xie_like_3d")).params == 14_700_146 + 257 * 2
