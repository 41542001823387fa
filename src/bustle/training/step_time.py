"""How long one training step of a recipe takes on this machine, measured."""

from __future__ import annotations

import math
import time

import torch

from bustle.core.recipe import Recipe
from bustle.models import zoo
from bustle.models.device import channels_last_format, find_device
from bustle.training.determinism import keeping_random_state

SOON = 1.0
"""Seconds of a step of few cases, up to which the whole batch is timed too."""


def step_seconds(recipe: Recipe, *, device: str) -> float:
    """Of forward and backward pass of a full batch, in the recipe's form of memory, in fp32, with random inputs.

    A step that takes long is timed with two images, or one volume, and counted up to the batch. Losses, updates and
    augmentation come on top.
    """
    chosen = find_device(device)
    batch = recipe.training.batch_size
    cases = min(batch, 1 if len(recipe.data.size) == 3 else 2)
    with keeping_random_state():
        network = zoo.resolve(recipe).build().to(chosen)
        if recipe.training.channels_last:
            network = network.to(memory_format=channels_last_format(len(recipe.data.size) + 2))
        seconds = _timed(network, recipe, cases)  # the first one also sets things up
        if seconds < SOON and cases < batch:
            cases, seconds = batch, _timed(network, recipe, batch)
    return (recipe.model.refinements + 1) * seconds * math.ceil(batch / cases)


def _timed(network: torch.nn.Module, recipe: Recipe, cases: int) -> float:
    device = next(network.parameters()).device
    images = torch.rand(cases, recipe.data.channels, *recipe.data.size, device=device)
    if recipe.training.channels_last:
        images = images.contiguous(memory_format=channels_last_format(images.ndim))
    started = time.perf_counter()
    output = network(images)
    heads = [head for head in (output.mask_logits, output.class_logits) if head is not None]
    torch.stack([head.float().mean() for head in heads]).sum().backward()
    if images.device.type == "cuda":
        torch.cuda.synchronize()
    network.zero_grad(set_to_none=True)
    return time.perf_counter() - started
