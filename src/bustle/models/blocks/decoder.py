"""A U-Net decoder over any feature pyramid: transposed convolutions, skip connections, two 3x3 convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.errors import InputError


class UpBlock(nn.Module):
    """Doubles the resolution to `out_channels`; with a skip, concatenates it and convolves twice (RMTL-Net)."""

    def __init__(self, in_channels: int, out_channels: int, *, skip_channels: int):
        super().__init__()
        self.up = nn.Sequential(
            nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2), nn.BatchNorm2d(out_channels), nn.ReLU()
        )
        self.merge = None
        if skip_channels:
            self.merge = nn.Sequential(
                *_conv_norm_relu(out_channels + skip_channels, out_channels),
                *_conv_norm_relu(out_channels, out_channels),
            )

    def forward(self, coarse: Tensor, skip: Tensor | None) -> Tensor:
        fine = self.up(coarse)
        if self.merge is None or skip is None:
            return fine
        return self.merge(torch.cat([resize_to(fine, skip.shape[-2:]), skip], dim=1))


class Decoder(nn.Module):
    """Maps an encoder's features, fine to coarse, to one map of `out_channels` at about the input's size.

    One block per halving of the encoder's coarsest stride; a block whose stride the encoder has no map for gets no
    skip connection (stride 1 for most encoders, also stride 2 for ConvNeXt). `channels` are the widths of all
    blocks but the last, coarse to fine; None takes each skip's own width, the layout of the paper. The last block
    keeps the width before it. Raises `InputError` when `channels` has another length.
    """

    def __init__(self, encoder_channels: Sequence[int], reductions: Sequence[int], *, channels: Sequence[int] | None):
        super().__init__()
        skip_channels = dict(zip(reductions, encoder_channels, strict=True))
        width = skip_channels.pop(reductions[-1])
        strides = _halvings(reductions[-1])
        if channels is not None and len(channels) != len(strides) - 1:
            raise InputError(
                f"model.config.decoder_channels has {len(channels)} widths",
                remedy=f"this backbone needs {len(strides) - 1}, one per decoder block but the last, or null",
            )
        self.strides = tuple(strides)
        self.blocks = nn.ModuleList()
        for position, stride in enumerate(strides):
            skip = skip_channels.get(stride, 0)
            wanted = width if stride == 1 else (skip or width) if channels is None else channels[position]
            self.blocks.append(UpBlock(width, wanted, skip_channels=skip))
            width = wanted
        self.out_channels = width
        self.skip_index = {stride: index for index, stride in enumerate(reductions)}

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        decoded = features[-1]
        for stride, block in zip(self.strides, self.blocks, strict=True):
            index = self.skip_index.get(stride)
            decoded = block(decoded, None if index is None else features[index])
        return decoded


def resize_to(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize of `B C H W` to `size`; sizes that the strides do not divide end a pixel off."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)


def _conv_norm_relu(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels), nn.ReLU()]


def _halvings(stride: int) -> list[int]:
    """The strides from half of `stride` down to 1."""
    halves = []
    while stride > 1:
        stride //= 2
        halves.append(stride)
    return halves
