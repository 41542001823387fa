"""Exponential moving average of a network's weights."""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class WeightAverage:
    """After each update `average = d average + (1 - d) weights`, with d = min(decay, (1 + n) / (10 + n)).

    n counts the updates: the smaller decay at the start keeps the initial weights from lingering. Floating-point
    buffers (batch-norm statistics) are averaged too, the others copied. `network` is the averaged copy.
    """

    def __init__(self, network: nn.Module, *, decay: float):
        self.decay = decay
        self.updates = 0
        self.network = copy.deepcopy(network).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages, currents = [], []
        for average, current in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if average.is_floating_point():
                averages.append(average)
                currents.append(current)
            else:
                average.copy_(current)
        torch._foreach_lerp_(averages, currents, 1 - decay)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates, "network": self.network.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.updates = operator.index(state["updates"])
        self.network.load_state_dict(state["network"])
