"""Mixed precision: networks compute in half the bits, weights and updates stay in fp32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bustle.core.recipe import Precision
from bustle.training.processes import ALONE, Share

HALF_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class MixedPrecision:
    """Autocast for `bf16` and `fp16`, and for fp16 a loss scale that keeps small gradients above zero.

    With `fp32` both do nothing; `auto` must have been decided (`fastest_form`). The casts of the weights are not
    cached: a step may update the weights and go on in the same autocast.
    """

    def __init__(self, precision: Precision, *, device: torch.device):
        if precision == "auto":
            raise ValueError("auto is no precision to compute in")
        self.precision = precision
        self.device = device
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    def autocast(self) -> torch.autocast:
        half = HALF_TYPES.get(self.precision)
        return torch.autocast(self.device.type, dtype=half, enabled=half is not None, cache_enabled=False)

    def update(
        self, optimizer: torch.optim.Optimizer, loss: Tensor, *, clip_norm: float | None, share: Share = ALONE
    ) -> None:
        """One optimiser update by the gradients of all processes.

        They are clipped at their true scale; fp16 skips one with infinite gradients.
        """
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        share.add_gradients(parameters)
        self.scaler.unscale_(optimizer)
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, clip_norm)
        self.scaler.step(optimizer)
        self.scaler.update()

    def state_dict(self) -> dict[str, Any]:
        return self.scaler.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.scaler.load_state_dict(dict(state))
