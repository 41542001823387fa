"""CMUNeXt: a convolutional U-Net of large depth-wise kernels whose skip connections are fused by grouped convolution.

Tang, Ding, Quan, Wang, Ning, Zhou, "CMUNeXt: An Efficient Medical Image Segmentation Network Based on Large Kernel
and Skip Fusion", ISBI 2024. A block sees far by a depth-wise convolution and mixes channels by two pointwise ones,
between which they are four times as many.

Layers, their order and their biases are those of the figure and the code that the authors released; with them the
three sizes have as many parameters as the authors' own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import resize_to
from bustle.models.mask_meanings import one_lesion_channel

EXPANSION = 4
"""How many times wider the maps are between two pointwise convolutions."""

FiveStages = tuple[int, int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Of the five stages, fine to coarse: `widths` of their outputs, `depths` in blocks, depth-wise `kernels`."""

    widths: FiveStages = (16, 32, 128, 160, 256)
    depths: FiveStages = (1, 1, 1, 3, 1)
    kernels: FiveStages = (3, 3, 7, 7, 7)

    def __post_init__(self) -> None:
        if min(*self.widths, *self.depths) < 1:
            raise ValueError("widths and depths must be positive")
        if any(kernel < 1 or kernel % 2 == 0 for kernel in self.kernels):
            raise ValueError("kernels must be odd, so that maps keep their size")


class LargeKernelBlock(nn.Module):
    """The CMUNeXt block: a depth-wise convolution that its input is added to, then the pointwise pair.

    Maps `B C h w` to the same shape.
    """

    def __init__(self, channels: int, *, kernel: int):
        super().__init__()
        self.depthwise = _conv_gelu_norm(channels, channels, kernel=kernel, groups=channels)
        self.pointwise = _pointwise_pair(channels, channels)

    def forward(self, maps: Tensor) -> Tensor:
        return self.pointwise(maps + self.depthwise(maps))


class SkipFusion(nn.Module):
    """Joins the encoder's and the decoder's maps, both `B C h w`, to one of the same shape.

    The 3x3 convolution has two groups, so it refines each of the two by itself; the pointwise pair mixes them.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.grouped = _conv_gelu_norm(2 * channels, 2 * channels, kernel=3, groups=2)
        self.pointwise = _pointwise_pair(2 * channels, channels)

    def forward(self, skip: Tensor, decoded: Tensor) -> Tensor:
        return self.pointwise(self.grouped(torch.cat([skip, decoded], dim=1)))


class CMUNeXt(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W`."""

    def __init__(self, config: Config, *, in_channels: int):
        super().__init__()
        widths = config.widths
        self.stem = _conv_norm_relu(in_channels, widths[0])
        into = (widths[0], *widths[:-1])
        self.encoder = nn.ModuleList(
            nn.Sequential(*(LargeKernelBlock(i, kernel=k) for _ in range(depth)), _conv_norm_relu(i, o))
            for i, o, depth, k in zip(into, widths, config.depths, config.kernels, strict=True)
        )
        coarse_to_fine = widths[::-1]
        self.up = nn.ModuleList(_conv_norm_relu(i, o) for i, o in pairwise(coarse_to_fine))
        self.fusions = nn.ModuleList(SkipFusion(width) for width in coarse_to_fine[1:])
        self.mask_head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        first, *deeper = self.encoder
        skips = [first(self.stem(image))]
        for stage in deeper:
            skips.append(stage(F.max_pool2d(skips[-1], 2)))
        decoded = skips.pop()
        for up, fusion in zip(self.up, self.fusions, strict=True):
            skip = skips.pop()
            decoded = fusion(skip, up(resize_to(decoded, skip.shape[-2:])))
        return MultiTaskOutput(mask_logits=self.mask_head(decoded), class_logits=None)


def _conv_norm_relu(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels), nn.ReLU())


def _conv_gelu_norm(in_channels: int, out_channels: int, *, kernel: int, groups: int = 1) -> nn.Module:
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups)
    return nn.Sequential(conv, nn.GELU(), nn.BatchNorm2d(out_channels))


def _pointwise_pair(in_channels: int, out_channels: int) -> nn.Module:
    """The inverted bottleneck, without a connection around it."""
    wide = EXPANSION * out_channels
    return nn.Sequential(_conv_gelu_norm(in_channels, wide, kernel=1), _conv_gelu_norm(wide, out_channels, kernel=1))


def build(config: Config, *, in_channels: int, class_count: int) -> CMUNeXt:
    """`class_count` is of no use here: it has no classes."""
    return CMUNeXt(config, in_channels=in_channels)


SPEC = ModelSpec(
    id="cmunext",
    title="CMUNeXt",
    citation=(
        "Tang, Ding, Quan, Wang, Ning, Zhou: CMUNeXt: An Efficient Medical Image Segmentation Network Based on Large "
        "Kernel and Skip Fusion. ISBI 2024"
    ),
    dims=2,
    task="seg",
    config_type=Config,
    tiny=Config(widths=(4, 5, 6, 7, 8), depths=(1, 1, 1, 2, 1)),
    build=build,
    mask_meaning=one_lesion_channel,
    deviations=(
        "Layers, their order and their biases are those of the authors' released code; the paper's text was not "
        "compared with it.",
        "Maps of sizes that the strides do not divide are resized to their skip connection's; the authors use 256 "
        "pixels, where the two agree.",
    ),
)
