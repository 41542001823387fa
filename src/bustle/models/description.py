"""Counts what a recipe's network costs: parameters and multiply-accumulates."""

from __future__ import annotations

import json
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from bustle.core.config import to_mapping
from bustle.core.description import Description
from bustle.core.recipe import Recipe
from bustle.core.types import Task
from bustle.models import zoo
from bustle.models.refinement import refined


def describe(recipe: Recipe) -> Description:
    """Describe the network of `recipe`, built without memory; deviations are the network's and the recipe's.

    The multiply-accumulates are those of all passes of a refined network.
    """
    network = zoo.resolve(recipe)
    cost = _cost(network, size=recipe.data.size)
    return Description(
        id=recipe.id,
        title=recipe.title,
        task=cost.task,
        dims=network.spec.dims,
        params=cost.params,
        trainable_params=cost.trainable_params,
        gmacs=cost.gmacs,
        citation=recipe.citation,
        deviations=(*network.spec.deviations, *recipe.deviations),
    )


@dataclass(frozen=True)
class _Cost:
    task: Task
    params: int
    trainable_params: int
    gmacs: float


_counted: dict[str, _Cost] = {}
"""By network and input size: recipes that differ in losses or schedule share them."""


def _cost(network: zoo.ResolvedNetwork, *, size: tuple[int, ...]) -> _Cost:
    settings = (network.config, network.refinements, network.in_channels, len(network.classes), size)
    key = json.dumps([network.spec.id, to_mapping(settings)])
    if key not in _counted:
        _counted[key] = _count(network, size=size)
    return _counted[key]


def _count(network: zoo.ResolvedNetwork, *, size: tuple[int, ...]) -> _Cost:
    with torch.device("meta"):
        model = refined(network.build(), network).eval()
        image = torch.empty(1, network.in_channels, *size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = model(image)
    task: Task = "joint"
    if output.class_logits is None:
        task = "seg"
    elif output.mask_logits is None:
        task = "cls"
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return _Cost(
        task=task,
        params=sum(count for count, _ in sizes),
        trainable_params=sum(count for count, trainable in sizes if trainable),
        gmacs=round(counter.get_total_flops() / 2e9, 4),  # a multiply-accumulate counts as two operations
    )
