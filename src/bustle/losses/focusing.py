"""The factor by which focal losses turn to what is not yet right (Lin et al., ICCV 2017, eq. 4)."""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-7
"""Keeps the gradient of a fractional power finite where a probability is 1 in float32."""


def focused(cross_entropy: Tensor, *, gamma: float) -> Tensor:
    """(1 - p)^gamma (-log p), elementwise, from the cross entropies -log p of what is true."""
    return (-torch.expm1(-cross_entropy)).clamp_min(TINY) ** gamma * cross_entropy
