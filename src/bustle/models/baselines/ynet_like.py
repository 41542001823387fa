"""Y-Net: a U-shaped network of efficient spatial pyramids with a branch for the classes.

An approximation, from secondary sources, of Mehta, Mercan, Bartlett, Weaver, Elmore, Shapiro, "Y-Net: Joint
Segmentation and Classification for Diagnosis of Breast Biopsy Images", MICCAI 2018; its numbers are not the
method's. The pyramid is that of Mehta et al., "ESPNet", ECCV 2018.

Own choices: one strided and `depth` plain pyramids per level, the widths, bilinear up-sampling with skip
connections, and a class branch of one strided pyramid.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.mean_pooled_head import MeanPooledSequence
from bustle.models.mask_meanings import one_lesion_channel

BRANCHES = 5
"""Dilations 1, 2, 4, 8 and 16: a receptive field of 33 x 33."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `widths` per level, fine to coarse, of strides 2, 4, 8 …; `depth`: plain pyramids that follow the strided one of
    each level but the first. `dropout` stands before the class layer.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256)
    depth: int = 2
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if not 2 <= len(self.widths) <= 5 or min(self.widths) < BRANCHES:
            raise ValueError(f"widths must be 2 to 5 numbers of at least {BRANCHES}")
        if self.depth < 0:
            raise ValueError("depth must not be negative")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")


class SpatialPyramid(nn.Module):
    """The ESP block: reduce, five parallel dilated 3x3 convolutions, running sums of them side by side.

    Maps `B in H W` to `B out ⌈H/stride⌉ ⌈W/stride⌉`. The branches share the output's channels; the undilated one
    takes what is left over. The sums of the dilated branches, from the smallest dilation up, fill the gaps that
    each alone would leave. The input is added where the shape stays.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1):
        super().__init__()
        width = out_channels // BRANCHES
        widths = [out_channels - (BRANCHES - 1) * width, *[width] * (BRANCHES - 1)]
        kernel = 1 if stride == 1 else 3
        self.reduce = nn.Conv2d(in_channels, width, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.branches = nn.ModuleList(
            nn.Conv2d(width, each, 3, padding=2**index, dilation=2**index, bias=False)
            for index, each in enumerate(widths)
        )
        self.residual = stride == 1 and in_channels == out_channels
        self.activate = nn.Sequential(nn.BatchNorm2d(out_channels), nn.PReLU(out_channels))

    def forward(self, features: Tensor) -> Tensor:
        reduced = self.reduce(features)
        undilated, *dilated = (branch(reduced) for branch in self.branches)
        sums = [dilated[0]]
        for branch in dilated[1:]:
            sums.append(sums[-1] + branch)
        pyramid = torch.cat([undilated, *sums], dim=1)
        return self.activate(pyramid + features if self.residual else pyramid)


class YNetLike(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int):
        super().__init__()
        widths = config.widths
        first = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.PReLU(widths[0]),
        )
        deeper = (
            nn.Sequential(SpatialPyramid(i, o, stride=2), *(SpatialPyramid(o, o) for _ in range(config.depth)))
            for i, o in pairwise(widths)
        )
        self.down = nn.ModuleList([first, *deeper])
        self.up = nn.ModuleList(
            SpatialPyramid(coarse + fine, fine)
            for coarse, fine in zip(reversed(widths[1:]), reversed(widths[:-1]), strict=True)
        )
        self.mask_head = nn.Conv2d(widths[0], 1, 1)
        self.class_branch = SpatialPyramid(widths[-1], widths[-1], stride=2)
        self.class_head = MeanPooledSequence(nn.Dropout(config.dropout), nn.Linear(widths[-1], class_count))

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features: list[Tensor] = []
        for level in self.down:
            features.append(level(features[-1] if features else image))
        decoded = features[-1]
        for pyramid, skip in zip(self.up, features[-2::-1], strict=True):
            decoded = pyramid(torch.cat([resize_to(decoded, skip.shape[-2:]), skip], dim=1))
        return MultiTaskOutput(
            mask_logits=resize_to(self.mask_head(decoded), image.shape[-2:]),
            class_logits=self.class_head(self.class_branch(features[-1])),
        )


SPEC = ModelSpec(
    id="ynet_like",
    title="Y-Net (approximation)",
    citation="Mehta, Mercan, Bartlett, Weaver, Elmore, Shapiro: Y-Net: Joint Segmentation and Classification for "
    "Diagnosis of Breast Biopsy Images. MICCAI 2018",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(widths=(16, 24, 32), depth=1),
    build=YNetLike,
    mask_meaning=one_lesion_channel,
    deviations=(
        "An approximation from secondary sources; its numbers are not the method's.",
        "Widths, number of pyramids, up-sampling and the form of the class branch are own choices; the pyramid "
        "pooling of the decoder is left out.",
        "The biopsy images' many tissue classes become one lesion map.",
    ),
)
