"""Optimisers and learning-rate schedules that a recipe names.

A schedule is a pure function of the step, so that it needs no state in a checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import nn

from bustle.core.config import Component, from_component


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """What all optimisers take. `decay_norms: false` spares biases and normalisation weights the weight decay."""

    lr: float
    weight_decay: float = 0.0
    decay_norms: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.lr < math.inf:
            raise ValueError(f"lr is {self.lr}, it must be positive")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay is {self.weight_decay}, it must not be negative")


@dataclass(frozen=True, kw_only=True)
class Adam(OptimizerSettings):
    """Kingma & Ba, ICLR 2015; the weight decay is an L2 term of the gradient."""

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are {list(self.betas)}, each must be in [0, 1)")
        if not 0 <= self.eps < 1:
            raise ValueError(f"eps is {self.eps}, it must be in [0, 1)")


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Loshchilov & Hutter, ICLR 2019; the weight decay is decoupled from the gradient."""

    weight_decay: float = 1e-2


@dataclass(frozen=True, kw_only=True)
class SGD(OptimizerSettings):
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum is {self.momentum}, it must be in [0, 1)")
        if self.nesterov and self.momentum <= 0:
            raise ValueError("nesterov needs a positive momentum")


OPTIMIZERS: Mapping[str, tuple[type[OptimizerSettings], type[torch.optim.Optimizer]]] = {
    "adam": (Adam, torch.optim.Adam),
    "adamw": (AdamW, torch.optim.AdamW),
    "sgd": (SGD, torch.optim.SGD),
}


def optimizer_settings(component: Component) -> OptimizerSettings:
    """Check the recipe's `optimizer`; raises `InputError` for an unknown name or option."""
    settings_types = {name: settings_type for name, (settings_type, _) in OPTIMIZERS.items()}
    return from_component(component, settings_types, kind="optimizer", where="optimizer")


def build_optimizer(
    component: Component,
    network: nn.Module,
    *,
    without_gradient: Iterable[str] = (),
    loss: nn.Module | None = None,
) -> torch.optim.Optimizer:
    """The optimiser of `network`'s parameters, and of `loss`'s own (learned weights), which are never decayed.

    Parameters whose name starts with one of `without_gradient` are frozen and left out. On a GPU the update is one
    fused kernel, which needs not wait to learn whether fp16's gradients are finite.
    """
    settings = optimizer_settings(component)
    frozen = tuple(without_gradient)
    decayed, spared = [], []
    for name, parameter in network.named_parameters():
        if frozen and name.startswith(frozen):
            parameter.requires_grad_(False)
        elif parameter.requires_grad:
            (decayed if settings.decay_norms or parameter.ndim > 1 else spared).append(parameter)
    spared += [parameter for parameter in (loss.parameters() if loss else ()) if parameter.requires_grad]
    groups: list[dict[str, Any]] = [{"params": decayed}]
    if spared:
        groups.append({"params": spared, "weight_decay": 0.0})
    options: dict[str, Any] = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name != "decay_norms"}
    if all(parameter.is_cuda for group in groups for parameter in group["params"]):
        options["fused"] = True
    return OPTIMIZERS[component.name][1](groups, **options)


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """As `load_state_dict`, which takes over nearly anything; the settings but for the moment's `lr` must agree.

    Whether the update is fused is no setting of the training but belongs to the device that goes on, as does where
    its count of steps lies, which a fused update reads on the device: a training begun on a processor goes on on a
    GPU, and the other way round. Raises `ValueError`, or what PyTorch raises, for the state of another optimiser or
    of other parameters.
    """
    settings = [{**group, "params": None, "lr": None} for group in optimizer.param_groups]
    groups = [{**found, "fused": own["fused"]} for own, found in zip(settings, state["param_groups"], strict=True)]
    optimizer.load_state_dict({**state, "param_groups": groups})
    for own, found in zip(settings, optimizer.param_groups, strict=True):
        differing = [name for name, value in own.items() if value is not None and found.get(name, value) != value]
        if differing:
            raise ValueError(f"the optimiser's {differing[0]} is {found.get(differing[0])!r}")
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            of_parameter = isinstance(value, torch.Tensor) and (value.ndim == 0 or value.shape == parameter.shape)
            if value is not None and not of_parameter:
                raise ValueError(f"the optimiser's {name} is of another parameter")
    if len({frozenset(values) for values in optimizer.state.values() if values}) > 1:
        raise ValueError("the optimiser's state is incomplete")


@dataclass(frozen=True)
class Moment:
    """When a learning rate is asked for: `step` of `total_steps` updates, in `epoch` of `epochs` (all from 0)."""

    step: int
    epoch: int
    total_steps: int
    epochs: int


class Schedule(Protocol):
    """Gives the learning rate at a moment; `base` is the optimiser's `lr`."""

    def lr(self, base: float, moment: Moment) -> float: ...


@dataclass(frozen=True, kw_only=True)
class Constant:
    def lr(self, base: float, moment: Moment) -> float:
        return base


@dataclass(frozen=True, kw_only=True)
class Step:
    """Multiply by `factor` after every `every` epochs."""

    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        if self.every < 1 or not 0 < self.factor <= 1:
            raise ValueError("every must be at least 1 epoch and factor in (0, 1]")

    def lr(self, base: float, moment: Moment) -> float:
        return base * self.factor ** (moment.epoch // self.every)


@dataclass(frozen=True, kw_only=True)
class Poly:
    """Multiply by (1 - epoch / epochs) to the `power`, per epoch: 0.9 in nnU-Net, and the decay read in C_MSVNet."""

    power: float = 0.9

    def __post_init__(self) -> None:
        if self.power <= 0:
            raise ValueError("power must be positive")

    def lr(self, base: float, moment: Moment) -> float:
        return base * (1 - moment.epoch / moment.epochs) ** self.power


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """Half a cosine from the optimiser's `lr` down to `floor` over the whole training, per step."""

    floor: float = 0.0

    def __post_init__(self) -> None:
        if self.floor < 0:
            raise ValueError("floor must not be negative")

    def lr(self, base: float, moment: Moment) -> float:
        return _cosine(base, self.floor, moment.step / max(1, moment.total_steps))


@dataclass(frozen=True, kw_only=True)
class OneCycle:
    """Up to `max_lr` (default: the optimiser's `lr`) and down to almost nothing, per step (Smith & Topin, 2018).

    The learning rate equals torch's `OneCycleLR` with cosine annealing; the momentum stays as it is.
    """

    max_lr: float | None = None
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __post_init__(self) -> None:
        if not 0 < self.pct_start < 1 or self.div_factor < 1 or self.final_div_factor < 1:
            raise ValueError("pct_start must be in (0, 1), div_factor and final_div_factor at least 1")
        if self.max_lr is not None and self.max_lr <= 0:
            raise ValueError("max_lr must be positive")

    def lr(self, base: float, moment: Moment) -> float:
        top = base if self.max_lr is None else self.max_lr
        start = top / self.div_factor
        turn = self.pct_start * moment.total_steps - 1
        if turn > 0 and moment.step <= turn:
            return _cosine(start, top, moment.step / turn)
        rest = max(1e-9, moment.total_steps - 1 - turn)
        return _cosine(top, start / self.final_div_factor, min(1.0, (moment.step - turn) / rest))


def _cosine(start: float, stop: float, fraction: float) -> float:
    return stop + (start - stop) * (1 + math.cos(math.pi * fraction)) / 2


SCHEDULES: Mapping[str, type[Schedule]] = {
    "constant": Constant,
    "step": Step,
    "poly": Poly,
    "cosine": Cosine,
    "one_cycle": OneCycle,
}


def build_schedule(component: Component) -> Schedule:
    """The recipe's `schedule`; raises `InputError` for an unknown name or option."""
    return from_component(component, SCHEDULES, kind="schedule", where="schedule")
