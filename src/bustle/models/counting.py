"""Counts what a recipe's network costs: parameters and multiply-accumulates."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from bustle.core.network import Task
from bustle.core.recipe import Recipe
from bustle.models import zoo
from bustle.models.counts import Counts
from bustle.models.refinement import refined


def count(recipe: Recipe) -> Counts:
    """Build the network of `recipe` without memory and run it once, with all passes of a refined network."""
    network = zoo.resolve(recipe)
    with torch.device("meta"):
        model = refined(network.build(), network).eval()
        image = torch.empty(1, network.in_channels, *recipe.data.size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = model(image)
    task: Task = "joint"
    if output.class_logits is None:
        task = "seg"
    elif output.mask_logits is None:
        task = "cls"
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return Counts(
        task=task,
        params=sum(size for size, _ in sizes),
        trainable_params=sum(size for size, trainable in sizes if trainable),
        gmacs=round(counter.get_total_flops() / 2e9, 4),  # a multiply-accumulate counts as two operations
    )
