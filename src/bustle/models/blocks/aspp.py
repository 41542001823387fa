"""Atrous spatial pyramid pooling: one map seen with several fields of view (Chen et al. 2017, DeepLabv3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class AtrousPyramid(nn.Module):
    """Maps `B C H W` to `B out_channels H W`.

    A 1x1 convolution, a 3x3 convolution per dilation of `rates`, and the mean of the whole map through a 1x1
    convolution, all concatenated and fused by a 1x1 convolution; batch norm and ReLU after each.
    """

    def __init__(self, in_channels: int, out_channels: int, *, rates: Sequence[int] = (6, 12, 18)):
        super().__init__()
        self.branches = nn.ModuleList([_branch(in_channels, out_channels)])
        self.branches.extend(_branch(in_channels, out_channels, dilation=rate) for rate in rates)
        self.whole = _branch(in_channels, out_channels)
        self.fuse = _branch(out_channels * (len(rates) + 2), out_channels)

    def forward(self, features: Tensor) -> Tensor:
        whole = self.whole(features.mean(dim=(-2, -1), keepdim=True)).expand(-1, -1, *features.shape[-2:])
        return self.fuse(torch.cat([*(branch(features) for branch in self.branches), whole], dim=1))


def _branch(in_channels: int, out_channels: int, *, dilation: int = 0) -> nn.Sequential:
    """A 3x3 convolution with a dilation, without one a 1x1 convolution."""
    kernel = 3 if dilation else 1
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=dilation, dilation=max(dilation, 1), bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )
