"""A U-Net decoder without layers of its own for going up: resize, concatenate with the skip, convolve twice."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.unet import PLAIN, ConvStyle, DoubleConv


class ConcatDecoder(nn.Module):
    """Maps `UNetEncoder`'s maps, fine to coarse, to one map `B widths[-1] H W` at the size of the finest.

    `channels` are the encoder's, fine to coarse; `widths` the decoder's, one per stage, coarse to fine. The first
    stage takes `bridge_channels` further ones, a map of any size that is brought to the stage's.
    """

    def __init__(
        self, channels: Sequence[int], widths: Sequence[int], *, bridge_channels: int = 0, style: ConvStyle = PLAIN
    ):
        super().__init__()
        inputs = (channels[-1] + bridge_channels, *widths[:-1])
        skips = list(channels[:-1])[::-1]
        self.stages = nn.ModuleList(
            DoubleConv(below + skip, width, style=style)
            for below, skip, width in zip(inputs, skips, widths, strict=True)
        )
        self.out_channels = widths[-1]

    def forward(self, features: Sequence[Tensor], *, bridge: Tensor | None = None) -> Tensor:
        decoded = features[-1]
        joined = [] if bridge is None else [bridge]
        for stage, skip in zip(self.stages, list(features[:-1])[::-1], strict=True):
            maps = [resize_to(decoded, skip.shape[-2:]), skip, *(resize_to(m, skip.shape[-2:]) for m in joined)]
            decoded = stage(torch.cat(maps, dim=1))
            joined = []
        return decoded
