"""The plain U-Net: two 3x3 convolutions per level, max pooling down, skip connections up.

Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015, with
padded convolutions, so that maps keep their size. For networks whose papers have no named backbone; those with a
ResNet or VGG take `build_encoder` and `Decoder`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.models.blocks.decoder import resize_to

GROUP_WIDTH = 8
"""Channels per group of a group norm, where they divide the width."""


@dataclass(frozen=True, kw_only=True)
class ConvStyle:
    """What follows each convolution: a norm, an activation and, at the end of a double convolution, dropout.

    Convolutions have a bias only without a norm. `leaky_slope` is that of the leaky ReLU.
    """

    norm: Literal["batch", "instance", "group", "none"] = "batch"
    activation: Literal["relu", "leaky_relu"] = "relu"
    leaky_slope: float = 0.01
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")
        if self.leaky_slope < 0:
            raise ValueError("leaky_slope must not be negative")


PLAIN = ConvStyle()


class DoubleConv(nn.Sequential):
    """Twice 3x3 convolution, norm, activation: `B in H W` to `B out H W`, the first convolution with a stride."""

    def __init__(self, in_channels: int, out_channels: int, *, style: ConvStyle = PLAIN, stride: int = 1):
        super().__init__(
            *_conv_norm_activation(in_channels, out_channels, style, stride=stride),
            *_conv_norm_activation(out_channels, out_channels, style),
            *([nn.Dropout(style.dropout)] if style.dropout else []),
        )


class UNetEncoder(nn.Module):
    """Maps `B C H W` to one map per width, fine to coarse; the first has the input's size, each next half of it."""

    def __init__(self, in_channels: int, widths: Sequence[int], *, style: ConvStyle = PLAIN):
        super().__init__()
        self.channels = tuple(widths)
        inputs = (in_channels, *widths[:-1])
        self.levels = nn.ModuleList(DoubleConv(i, o, style=style) for i, o in zip(inputs, widths, strict=True))

    def forward(self, image: Tensor) -> list[Tensor]:
        features = [self.levels[0](image)]
        for level in list(self.levels)[1:]:
            features.append(level(F.max_pool2d(features[-1], 2)))
        return features


class UNetDecoder(nn.Module):
    """Maps the encoder's maps to one map `B widths[0] H W` at the size of the finest.

    `widths` are the encoder's, fine to coarse. Each stage brings the coarse map to the skip's width and twice its
    size by a 2x2 transposed convolution or bilinearly (then with a 1x1 convolution), concatenates and convolves
    twice. `forward_stages` gives the map of every stage, coarse to fine, for heads that read several.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        style: ConvStyle = PLAIN,
        up: Literal["transposed", "bilinear"] = "transposed",
    ):
        super().__init__()
        self.out_channels = widths[0]
        self.ups = nn.ModuleList()
        self.merges = nn.ModuleList()
        for coarse, fine in zip(reversed(widths[1:]), reversed(widths[:-1]), strict=True):
            if up == "transposed":
                self.ups.append(nn.ConvTranspose2d(coarse, fine, 2, stride=2))
            else:
                self.ups.append(nn.Conv2d(coarse, fine, 1))
            self.merges.append(DoubleConv(2 * fine, fine, style=style))

    def forward_stages(self, features: Sequence[Tensor]) -> list[Tensor]:
        decoded = features[-1]
        stages = []
        for up, merge, skip in zip(self.ups, self.merges, list(features[:-1])[::-1], strict=True):
            decoded = merge(torch.cat([resize_to(up(decoded), skip.shape[-2:]), skip], dim=1))
            stages.append(decoded)
        return stages

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        return self.forward_stages(features)[-1]


def _conv_norm_activation(
    in_channels: int, out_channels: int, style: ConvStyle, *, stride: int = 1
) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=style.norm == "none")
    activation = nn.ReLU() if style.activation == "relu" else nn.LeakyReLU(style.leaky_slope)
    return [conv, *_norm(out_channels, style.norm), activation]


def _norm(channels: int, norm: Literal["batch", "instance", "group", "none"]) -> list[nn.Module]:
    if norm == "batch":
        return [nn.BatchNorm2d(channels)]
    if norm == "instance":
        return [nn.InstanceNorm2d(channels, affine=True)]
    if norm == "group":
        return [nn.GroupNorm(channels // GROUP_WIDTH if channels % GROUP_WIDTH == 0 else 1, channels)]
    return []
