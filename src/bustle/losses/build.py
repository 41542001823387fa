"""The losses that recipes name, and their weighted sum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bustle.core.config import from_mapping
from bustle.core.errors import InputError, unknown_name
from bustle.core.recipe import Recipe
from bustle.core.types import Batch, MaskMeaning, MultiTaskOutput
from bustle.losses.class_cross_entropy import ClassCrossEntropy
from bustle.losses.dice import Dice
from bustle.losses.mask_cross_entropy import MaskCrossEntropy
from bustle.losses.region_cross_entropy import RegionCrossEntropy

LOSSES: Mapping[str, Any] = {
    "class_cross_entropy": ClassCrossEntropy,
    "dice": Dice,
    "mask_cross_entropy": MaskCrossEntropy,
    "region_cross_entropy": RegionCrossEntropy,
}
"""A loss maps (output, batch) to a scalar; its `options_type` is the dataclass of what a recipe may set."""

WEIGHTINGS = ("fixed",)


class LossValues(NamedTuple):
    """`total` is the weighted sum; `terms` are the losses by name, before weighting."""

    total: Tensor
    terms: dict[str, Tensor]


class CombinedLoss(nn.Module):
    """The weighted sum of named losses. Fixed weights belong to the recipe, not to the state."""

    weights: Tensor

    def __init__(self, losses: Mapping[str, Any], weights: Mapping[str, float]):
        super().__init__()
        self.losses = dict(losses)
        values = torch.tensor([weights[name] for name in self.losses], dtype=torch.float32)
        self.register_buffer("weights", values, persistent=False)

    def forward(self, output: MultiTaskOutput, batch: Batch) -> LossValues:
        terms = {name: loss(output, batch) for name, loss in self.losses.items()}
        return LossValues(total=(torch.stack(list(terms.values())) * self.weights).sum(), terms=terms)


def build_loss(recipe: Recipe, *, mask_meaning: MaskMeaning | None) -> CombinedLoss:
    """The recipe's losses with their fixed weights.

    Raises `InputError` for unknown losses, options or weightings, and for a loss that `mask_meaning` cannot serve.
    """
    if recipe.weighting.name not in WEIGHTINGS:
        raise unknown_name("weighting", recipe.weighting.name, WEIGHTINGS)
    if recipe.weighting.options:
        raise unknown_name("option of weighting fixed", next(iter(recipe.weighting.options)), ())
    losses: dict[str, Any] = {}
    weights: dict[str, float] = {}
    for component in recipe.losses:
        if component.name not in LOSSES:
            raise unknown_name("loss", component.name, LOSSES)
        if component.name in losses:
            raise InputError(f"the recipe names the loss {component.name} twice", remedy="join the two")
        loss_type = LOSSES[component.name]
        options = dict(component.options)
        weights[component.name] = _weight(options.pop("weight", 1.0), component.name)
        chosen = from_mapping(loss_type.options_type, options, where=f"loss {component.name}")
        losses[component.name] = loss_type(chosen, mask_meaning=mask_meaning)
    if not losses:
        raise InputError("the recipe has no losses", remedy="name at least one")
    return CombinedLoss(losses, weights)


def _weight(value: Any, loss: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise InputError(f"the weight of loss {loss} is {value!r}", remedy="it must be a number of at least 0")
    return float(value)
