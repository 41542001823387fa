"""How the losses of several tasks become one total.

A weighting maps the sums of every task's losses (each already multiplied with the weights that the recipe gives)
to the total. In evaluation mode every weighting is the plain sum, so that validation losses of different epochs can
be compared while the weights move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bustle.core.config import Component, from_component


@dataclass(frozen=True, kw_only=True)
class FixedOptions:
    """No options."""


class FixedWeighting(nn.Module):
    """The sum, with the recipe's own weights."""

    options_type = FixedOptions

    def __init__(self, options: FixedOptions, *, tasks: Sequence[str]):
        super().__init__()

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        return torch.stack(list(losses.values())).sum()


@dataclass(frozen=True, kw_only=True)
class DynamicAverageOptions:
    """`temperature` T softens the weights; `unit`: over what a task's loss is averaged before it is compared."""

    temperature: float = 2.0
    unit: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError("temperature must be positive")


class DynamicAverageWeighting(nn.Module):
    """Dynamic weight averaging: tasks whose loss falls slowly weigh more (Liu, Johns, Davison, CVPR 2019, eq. 7).

    λ_k = K exp(w_k / T) / Σ_i exp(w_i / T) with w_k = L_k(t-1) / L_k(t-2), the losses detached; w = 1 in the first
    two units of time, and where L_k(t-2) is 0, as in a step without a mask. CTG-Net (Yang et al.) uses it for its
    class loss and the sum of its two Dice losses.
    """

    options_type = DynamicAverageOptions
    history: Tensor
    running: Tensor
    count: Tensor

    def __init__(self, options: DynamicAverageOptions, *, tasks: Sequence[str]):
        super().__init__()
        self.options = options
        self.register_buffer("history", torch.zeros(2, len(tasks)))  # the last unit of time but one, the last
        self.register_buffer("running", torch.zeros(len(tasks)))
        self.register_buffer("count", torch.zeros(2, dtype=torch.int64))  # steps in `running`, finished units

    def weights(self) -> Tensor:
        """λ of every task, in the order of the tasks; their sum is the number of tasks."""
        before, last = self.history
        known = (self.count[1] >= 2) & (before > 0)
        ratio = torch.where(known, last / before.clamp_min(1e-12), torch.ones_like(last))
        return len(ratio) * torch.softmax(ratio / self.options.temperature, dim=0)

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        values = torch.stack(list(losses.values()))
        if not self.training:
            return values.sum()
        total = (self.weights() * values).sum()
        self.running += values.detach()
        self.count[0] += 1
        if self.options.unit == "step":
            self._finish_unit()
        return total

    def finish_epoch(self) -> None:
        """To be called when the last batch of an epoch has been learned from."""
        if self.options.unit == "epoch" and self.count[0] > 0:
            self._finish_unit()

    def _finish_unit(self) -> None:
        self.history = torch.stack([self.history[1], self.running / self.count[0]])
        self.running = torch.zeros_like(self.running)
        self.count = torch.stack([torch.zeros_like(self.count[0]), self.count[1] + 1])


@dataclass(frozen=True, kw_only=True)
class UncertaintyOptions:
    """No options."""


class UncertaintyWeighting(nn.Module):
    """Homoscedastic uncertainty, learned (Kendall, Gal, Cipolla, CVPR 2018).

    Σ_k exp(-s_k) L_k + s_k / 2 with s_k = log σ_k², the form for classification losses, which all of ours are; s
    starts at 0, where the total is the sum. A task whose loss is 0, as in a step without its annotations, adds
    nothing: s_k / 2 alone would only grow its weight.
    """

    options_type = UncertaintyOptions

    def __init__(self, options: UncertaintyOptions, *, tasks: Sequence[str]):
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(len(tasks)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        values = torch.stack(list(losses.values()))
        if not self.training:
            return values.sum()
        penalty = (self.log_variance / 2).masked_fill(values.detach() == 0, 0.0)
        return (torch.exp(-self.log_variance) * values + penalty).sum()


class PositiveUncertaintyWeighting(nn.Module):
    """Uncertainty whose penalty is never negative (Liebel, Körner, "Auxiliary Tasks in Multi-task Learning", 2018).

    Σ_k L_k / (2 c_k²) + ln(1 + c_k²), learned from c = 1 on; ACSNet's released script weighs its two tasks so. A task
    whose loss is 0, as in a step without its annotations, adds nothing.
    """

    options_type = UncertaintyOptions

    def __init__(self, options: UncertaintyOptions, *, tasks: Sequence[str]):
        super().__init__()
        self.deviation = nn.Parameter(torch.ones(len(tasks)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        values = torch.stack(list(losses.values()))
        if not self.training:
            return values.sum()
        penalty = torch.log1p(self.deviation**2).masked_fill(values.detach() == 0, 0.0)
        return (values / (2 * self.deviation**2) + penalty).sum()


Weighting = FixedWeighting | DynamicAverageWeighting | PositiveUncertaintyWeighting | UncertaintyWeighting

WEIGHTINGS: Mapping[str, type[Weighting]] = {
    "dynamic_average": DynamicAverageWeighting,
    "fixed": FixedWeighting,
    "positive_uncertainty": PositiveUncertaintyWeighting,
    "uncertainty": UncertaintyWeighting,
}


def build_weighting(component: Component, *, tasks: Sequence[str]) -> Weighting:
    """The recipe's `weighting`; raises `InputError` for an unknown name or option."""
    known: dict[str, Any] = {name: weighting.options_type for name, weighting in WEIGHTINGS.items()}
    options = from_component(component, known, kind="weighting", where=f"weighting {component.name}")
    return WEIGHTINGS[component.name](options, tasks=tasks)
