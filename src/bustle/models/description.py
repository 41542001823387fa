"""Counts what a recipe's network costs: parameters and multiply-accumulates."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from bustle.core.config import from_mapping, to_mapping
from bustle.core.description import Description
from bustle.core.recipe import Recipe
from bustle.core.types import Task
from bustle.models import zoo
from bustle.models.refinement import Refined


def describe(recipe: Recipe) -> Description:
    """Describe the network of `recipe`, built without memory; deviations are the network's and the recipe's.

    The multiply-accumulates are those of all passes of a refined network.
    """
    spec = zoo.get(recipe.model.id)
    config = json.dumps(to_mapping(recipe.model.config), sort_keys=True)
    data, refinements = recipe.data, recipe.model.refinements
    cost = _cost(recipe.model.id, config, refinements, data.channels, len(data.classes), data.size)
    return Description(
        id=recipe.id,
        title=recipe.title,
        task=cost.task,
        dims=spec.dims,
        params=cost.params,
        trainable_params=cost.trainable_params,
        gmacs=cost.gmacs,
        citation=recipe.citation,
        deviations=(*spec.deviations, *recipe.deviations),
    )


@dataclass(frozen=True)
class _Cost:
    task: Task
    params: int
    trainable_params: int
    gmacs: float


@cache  # recipes that differ in losses or schedule share a network
def _cost(
    model_id: str, config: str, refinements: int, in_channels: int, class_count: int, size: tuple[int, ...]
) -> _Cost:
    spec, settings = zoo.get(model_id), json.loads(config)
    meaning = spec.mask_meaning(from_mapping(spec.config_type, settings, where="model.config"))
    with torch.device("meta"):
        network = zoo.build(model_id, settings, in_channels=in_channels, class_count=class_count)
        model = Refined(network, meaning=meaning, refinements=refinements).eval()
        image = torch.empty(1, in_channels, *size)
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
