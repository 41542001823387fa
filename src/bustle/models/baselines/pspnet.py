"""PSPNet: pyramid pooling over a dilated ResNet, with an auxiliary map from the stage before the last.

Zhao, Shi, Qi, Wang, Jia, "Pyramid Scene Parsing Network", CVPR 2017; compared in RMTL-Net (IEEE Access 2023), whose
printed count, 70,295,620, this layout has exactly: ResNet-101 with the plain stem, four pooled branches of a
quarter of the width without bias, a 3x3 convolution to 512, and the auxiliary head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.encoder import build_encoder

CHANNELS = ("tumour", "background")


@dataclass(frozen=True, kw_only=True)
class Config:
    """`backbone`: a timm encoder that can dilate its last stages to `output_stride`.

    `bins`: cells per side of each pooled map. `width` of the convolutions before the two heads.
    """

    backbone: str = "resnet101"
    output_stride: Literal[8, 16, 32] = 8
    bins: tuple[int, ...] = (1, 2, 3, 6)
    width: int = 512
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if not self.bins or min(self.bins) < 1:
            raise ValueError("bins must name at least one pooled map, each of at least 1 cell per side")
        if self.width < 1:
            raise ValueError("width must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")


def mask_meaning(config: Config) -> MaskMeaning:
    """Softmax over tumour and background."""
    return MaskMeaning(channels=CHANNELS, activation="softmax", lesion_channels=(0,))


def map_meanings(config: Config) -> Mapping[str, MaskMeaning]:
    return {"aux": mask_meaning(config)}


class PyramidPooling(nn.Module):
    """Concatenates `B C h w` and, for each of `bins`, its means over bin x bin cells, convolved and brought back."""

    def __init__(self, in_channels: int, bins: Sequence[int]):
        super().__init__()
        self.bins = tuple(bins)
        branch = in_channels // len(bins)
        self.out_channels = in_channels + branch * len(bins)
        self.branches = nn.ModuleList(nn.Sequential(*_conv_norm_relu(in_channels, branch, 1)) for _ in bins)

    def forward(self, features: Tensor) -> Tensor:
        size = features.shape[-2:]
        pooled = [
            resize_to(branch(F.adaptive_avg_pool2d(features, cells)), size)
            for cells, branch in zip(self.bins, self.branches, strict=True)
        ]
        return torch.cat([features, *pooled], dim=1)


class PspNet(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 2 H W` and the auxiliary map, as large."""

    def __init__(self, config: Config, *, in_channels: int, encoder_weights: str | None):
        super().__init__()
        self.encoder = build_encoder(
            config.backbone,
            in_channels=in_channels,
            weights=encoder_weights,
            options={"output_stride": config.output_stride},
        )
        before_last, last = self.encoder.channels[-2:]
        self.pyramid = PyramidPooling(last, config.bins)
        self.mask_head = _head(self.pyramid.out_channels, config)
        self.aux_head = _head(before_last, config)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        *_, before_last, last = self.encoder(image)
        size = image.shape[-2:]
        return MultiTaskOutput(
            mask_logits=resize_to(self.mask_head(self.pyramid(last)), size),
            class_logits=None,
            aux_masks={"aux": resize_to(self.aux_head(before_last), size)},
        )


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> PspNet:
    return PspNet(config, in_channels=in_channels, encoder_weights=encoder_weights)


def _head(in_channels: int, config: Config) -> nn.Sequential:
    return nn.Sequential(
        *_conv_norm_relu(in_channels, config.width, 3),
        nn.Dropout2d(config.dropout),
        nn.Conv2d(config.width, len(CHANNELS), 1),
    )


def _conv_norm_relu(in_channels: int, out_channels: int, kernel: int) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU()]


SPEC = ModelSpec(
    id="pspnet",
    title="PSPNet",
    citation="Zhao, Shi, Qi, Wang, Jia: Pyramid Scene Parsing Network. CVPR 2017",
    dims=2,
    task="seg",
    config_type=Config,
    tiny=Config(backbone="test_resnet", width=16),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=mask_meaning,
    map_meanings=map_meanings,
    deviations=(
        "Dilation to a stride of 8 and dropout of 0.1 are those of PSPNet's paper; RMTL-Net's says neither.",
        "Up-sampling is bilinear with half-pixel centres; the released code aligns corners.",
    ),
)
