from __future__ import annotations

import pytest
import torch

from bustle.core.recipe import load_recipe
from bustle.models import zoo
from bustle.models.description import describe


def test_counts_are_those_of_the_network_that_is_built():
    recipe = load_recipe("rmtl_net_cpu")
    description = describe(recipe)
    model = zoo.build("rmtl_net", recipe.model.config, in_channels=3, class_count=2)
    assert description.params == sum(p.numel() for p in model.parameters()) == description.trainable_params
    assert (description.id, description.task, description.dims) == ("rmtl_net_cpu", "joint", 2)
    assert description.citation == recipe.citation
    assert set(recipe.deviations) < set(description.deviations)
    assert set(zoo.get("rmtl_net").deviations) < set(description.deviations)


def test_multiply_accumulates_are_counted_by_hand():
    """Every convolution does its filter's size times its output's area, every linear layer its weight's size."""
    recipe = load_recipe("rmtl_net_cpu", overrides=["model.config.regions=[]", "data.size=[64, 96]"])
    model = zoo.build("rmtl_net", recipe.model.config, in_channels=3, class_count=2).eval()
    total = 0

    def count(module: torch.nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(module, torch.nn.ConvTranspose2d):
            total += module.weight.numel() * inputs[0].shape[2] * inputs[0].shape[3]
        elif isinstance(module, torch.nn.Conv2d):
            total += module.weight.numel() * output.shape[2] * output.shape[3]
        elif isinstance(module, torch.nn.Linear):
            total += module.weight.numel()

    for module in model.modules():
        module.register_forward_hook(count)
    with torch.no_grad():
        model(torch.zeros(1, 3, 64, 96))
    assert describe(recipe).gmacs == pytest.approx(total / 1e9, abs=1e-4)


def test_the_task_follows_the_outputs():
    assert describe(load_recipe("rmtl_net/uresnet")).task == "seg"
