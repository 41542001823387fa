"""The residual U-Net of Chowdary et al.: a class branch of dense layers over features of every encoder level.

An approximation, from secondary sources, of Chowdary, Yogarajah, Chaurasia, Guruviah, "A multi-task learning
framework for automated segmentation and classification of breast tumors from ultrasound images", Ultrasonic Imaging
2022; its numbers are not the method's.

Own choices: residual units of two 3x3 convolutions after which comes the activation, strides instead of pooling,
the widths, bilinear up-sampling; the class branch pools the encoder's maps and the bridge's and has one hidden layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import resize_to
from bustle.models.mask_meanings import one_lesion_channel


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `widths` of the encoder's levels, fine to coarse; the last is the bridge. `hidden_width` of the class branch,
    with `dropout` before its last layer.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    hidden_width: int = 256
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if not 2 <= len(self.widths) <= 6:
            raise ValueError("widths must name 2 to 6 levels")
        if any(width < 1 for width in (*self.widths, self.hidden_width)):
            raise ValueError("widths and hidden_width must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions with batch norm beside a 1x1 one, added: `B in H W` to `B out ⌈H/stride⌉ ⌈W/stride⌉`."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1):
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        return (self.residual(features) + self.shortcut(features)).relu()


class ChowdaryLike(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int):
        super().__init__()
        widths = config.widths
        inputs = (in_channels, *widths[:-1])
        self.down = nn.ModuleList(
            ResidualUnit(i, o, stride=1 if level == 0 else 2)
            for level, (i, o) in enumerate(zip(inputs, widths, strict=True))
        )
        self.up = nn.ModuleList(
            ResidualUnit(coarse + fine, fine)
            for coarse, fine in zip(reversed(widths[1:]), reversed(widths[:-1]), strict=True)
        )
        self.mask_head = nn.Conv2d(widths[0], 1, 1)
        self.class_head = nn.Sequential(
            nn.Linear(sum(widths), config.hidden_width),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden_width, class_count),
        )

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features: list[Tensor] = []
        for unit in self.down:
            features.append(unit(features[-1] if features else image))
        decoded = features[-1]
        for unit, skip in zip(self.up, features[-2::-1], strict=True):
            decoded = unit(torch.cat([resize_to(decoded, skip.shape[-2:]), skip], dim=1))
        pooled = torch.cat([each.mean(dim=(-2, -1)) for each in features], dim=1)
        return MultiTaskOutput(mask_logits=self.mask_head(decoded), class_logits=self.class_head(pooled))


SPEC = ModelSpec(
    id="chowdary_like",
    title="Residual U-Net of Chowdary et al. (approximation)",
    citation="Chowdary, Yogarajah, Chaurasia, Guruviah: A Multi-Task Learning Framework for Automated Segmentation "
    "and Classification of Breast Tumors from Ultrasound Images. Ultrasonic Imaging 2022",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(widths=(8, 16, 24, 32), hidden_width=16),
    build=ChowdaryLike,
    mask_meaning=one_lesion_channel,
    deviations=(
        "An approximation from secondary sources; its numbers are not the method's.",
        "Widths, form of the residual unit and up-sampling are own choices.",
        "The class branch pools every map of the encoder and the bridge and has one hidden layer of 256.",
    ),
)
