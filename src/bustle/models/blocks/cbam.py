"""Convolutional block attention: which channels matter, then which places (Woo et al., "CBAM", ECCV 2018)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

SpatialKind = Literal["cbam7x7", "stack3x3"]
STACK_WIDTH = 8
"""Channels between the three convolutions of `stack3x3`."""


class ChannelAttention(nn.Module):
    """f sigmoid(MLP(mean f) + MLP(max f)) for maps `B C H W`; both poolings share the MLP C, C/`reduction`, C."""

    def __init__(self, channels: int, *, reduction: int = 16):
        super().__init__()
        hidden = max(1, channels // reduction)
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))

    def forward(self, features: Tensor) -> Tensor:
        gate = self.mlp(features.mean(dim=(-2, -1))) + self.mlp(features.amax(dim=(-2, -1)))
        return features * gate.sigmoid()[:, :, None, None]


class SpatialAttention(nn.Module):
    """f sigmoid(conv([max over channels, mean over channels])) for maps `B C H W`.

    `cbam7x7`: CBAM's own 7x7 convolution with batch norm. `stack3x3`: three 3x3 convolutions over 8 channels, each
    with batch norm, ReLU between them (released code of LA-Net).
    """

    def __init__(self, *, kind: SpatialKind = "cbam7x7"):
        super().__init__()
        if kind == "cbam7x7":
            layers = _conv_norm(2, 1, size=7)
        else:
            layers = [
                *_conv_norm(2, STACK_WIDTH, size=3),
                nn.ReLU(),
                *_conv_norm(STACK_WIDTH, STACK_WIDTH, size=3),
                nn.ReLU(),
                *_conv_norm(STACK_WIDTH, 1, size=3),
            ]
        self.gate = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        return features * self.map(features)

    def map(self, features: Tensor) -> Tensor:
        """What every place of the features `B C H W` is multiplied by, `B 1 H W`."""
        pooled = torch.cat([features.amax(dim=1, keepdim=True), features.mean(dim=1, keepdim=True)], dim=1)
        return self.gate(pooled).sigmoid()


def _conv_norm(in_channels: int, out_channels: int, *, size: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, size, padding=size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
    ]
