"""The losses that recipes name, and their weighted sum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from bustle.core.config import Component, from_component
from bustle.core.errors import InputError
from bustle.core.network import Head, MultiTaskOutput
from bustle.core.recipe import Recipe
from bustle.core.types import Batch
from bustle.losses.boundary import Boundary
from bustle.losses.class_cross_entropy import ClassCrossEntropy
from bustle.losses.class_focal import ClassFocal
from bustle.losses.class_map_cross_entropy import ClassMapCrossEntropy
from bustle.losses.coarse_dice import CoarseDice
from bustle.losses.consistency import Consistency
from bustle.losses.dice import Dice
from bustle.losses.gland_dice import GlandDice
from bustle.losses.location_cross_entropy import LocationCrossEntropy
from bustle.losses.lossnet import LossNet
from bustle.losses.mask_cross_entropy import MaskCrossEntropy
from bustle.losses.mask_focal import MaskFocal
from bustle.losses.region_cross_entropy import RegionCrossEntropy
from bustle.losses.setting import LossSetting
from bustle.losses.weighting import DynamicAverageWeighting, Weighting, build_weighting

LOSSES: Mapping[str, Any] = {
    "boundary": Boundary,
    "class_cross_entropy": ClassCrossEntropy,
    "class_focal": ClassFocal,
    "class_map_cross_entropy": ClassMapCrossEntropy,
    "coarse_dice": CoarseDice,
    "consistency": Consistency,
    "dice": Dice,
    "gland_dice": GlandDice,
    "location_cross_entropy": LocationCrossEntropy,
    "lossnet": LossNet,
    "mask_cross_entropy": MaskCrossEntropy,
    "mask_focal": MaskFocal,
    "region_cross_entropy": RegionCrossEntropy,
}
"""A loss maps (output, batch) to a scalar. Its `options_type` is the dataclass of what a recipe may set, its `task`
("seg" or "cls") the group in which a weighting puts it. One whose `needs_annotation` is False counts every case."""


class LossValues(NamedTuple):
    """`total` is the weighted sum; `terms` are the losses by name, before weighting."""

    total: Tensor
    terms: dict[str, Tensor]


class CombinedLoss(nn.Module):
    """Named losses, each times the recipe's weight, summed by task and combined by the weighting.

    The recipe's weights are not state; what a weighting learns or remembers is. `setting` is what the losses know.
    """

    def __init__(
        self,
        losses: Mapping[str, Any],
        weights: Mapping[str, float],
        *,
        weighting: Weighting,
        setting: LossSetting,
    ):
        super().__init__()
        self.losses = dict(losses)
        self.weights = dict(weights)
        self.weighting = weighting
        self.setting = setting

    def forward(self, output: MultiTaskOutput, batch: Batch) -> LossValues:
        terms: dict[str, Tensor] = {}
        of_task: dict[str, Tensor] = {}
        for name, loss in self.losses.items():
            terms[name] = loss(output, batch)
            weighted = self.weights[name] * terms[name]
            of_task[loss.task] = of_task[loss.task] + weighted if loss.task in of_task else weighted
        return LossValues(total=self.weighting(of_task), terms=terms)

    def finish_epoch(self) -> None:
        """To be called when the last batch of an epoch has been learned from."""
        if isinstance(self.weighting, DynamicAverageWeighting):
            self.weighting.finish_epoch()


def build_loss(recipe: Recipe, *, setting: LossSetting) -> CombinedLoss:
    """The recipe's losses. The same loss may stand there several times under different names (`as`).

    Raises `InputError` for unknown losses, options or weightings, and for a loss that `setting` cannot serve.
    """
    known = {name: loss_type.options_type for name, loss_type in LOSSES.items()}
    losses: dict[str, Any] = {}
    weights: dict[str, float] = {}
    for component in recipe.losses:
        options = dict(component.options)
        name = str(options.pop("as", component.name))
        if name in losses:
            raise InputError(f"the recipe names the loss {name} twice", remedy="join the two, or name one with `as`")
        weights[name] = _weight(options.pop("weight", 1.0), name)
        chosen = from_component(Component(component.name, options), known, kind="loss", where=f"loss {name}")
        losses[name] = LOSSES[component.name](chosen, setting=setting)
    if not losses:
        raise InputError("the recipe has no losses", remedy="name at least one")
    tasks = list(dict.fromkeys(loss.task for loss in losses.values()))
    return CombinedLoss(losses, weights, weighting=build_weighting(recipe.weighting, tasks=tasks), setting=setting)


def taught_heads(recipe: Recipe) -> frozenset[Head]:
    """The heads that the recipe's losses teach; one whose weight is 0 teaches nothing."""
    taught: set[Head] = set()
    for component in recipe.losses:
        if component.name not in LOSSES or _weight(component.options.get("weight", 1.0), component.name) == 0:
            continue
        if component.name == "consistency":
            taught |= {"mask", "class"}
        else:
            taught.add("class" if LOSSES[component.name].task == "cls" else "mask")
    return frozenset(taught)


def _weight(value: Any, loss: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise InputError(f"the weight of loss {loss} is {value!r}", remedy="it must be a number of at least 0")
    return float(value)
