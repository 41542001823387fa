"""How long one training step of a recipe takes on this machine, measured."""

from __future__ import annotations

import math

import torch
from torch import nn

from bustle.core.recipe import Recipe
from bustle.models import zoo
from bustle.models.device import channels_last_format, find_device
from bustle.training.determinism import keeping_random_state
from bustle.training.timed_step import timed_step

SOON = 1.0
"""Seconds of a step of few cases, up to which the whole batch is timed too."""


def step_seconds(recipe: Recipe, *, device: str) -> float:
    """Of forward and backward pass of a full batch, in fp32, with random inputs, channels last where `auto`.

    A step that takes long is timed with two images, or one volume, and counted up to the batch. Losses, updates and
    augmentation come on top.
    """
    chosen = find_device(device)
    batch, ndim = recipe.training.batch_size, len(recipe.data.size) + 2
    cases = min(batch, 1 if ndim == 5 else 2)
    memory_format = channels_last_format(ndim) if recipe.training.channels_last else torch.contiguous_format

    def seconds_of(network: nn.Module, cases: int) -> float:
        images = torch.rand(cases, recipe.data.channels, *recipe.data.size, device=chosen)
        return timed_step(network, images.contiguous(memory_format=memory_format))

    with keeping_random_state():
        network = zoo.resolve(recipe).build().to(chosen).to(memory_format=memory_format)  # type: ignore[call-overload]
        seconds = seconds_of(network, cases)  # the first one also sets things up
        if seconds < SOON and cases < batch:
            cases, seconds = batch, seconds_of(network, batch)
    return (recipe.model.refinements + 1) * seconds * math.ceil(batch / cases)
