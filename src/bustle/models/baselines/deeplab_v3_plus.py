"""DeepLabv3+: atrous spatial pyramid pooling at stride 16, refined with a map of stride 4.

Chen, Zhu, Papandreou, Schroff, Adam, "Encoder-Decoder with Atrous Separable Convolution for Semantic Image
Segmentation", ECCV 2018; compared in RMTL-Net (IEEE Access 2023), whose printed count, 59,339,426, this layout has
exactly: ResNet-101 with the plain stem and ordinary instead of separable 3x3 convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.models.blocks.aspp import AtrousPyramid
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.encoder import build_encoder

CHANNELS = ("tumour", "background")
FINE_STRIDE = 4


@dataclass(frozen=True, kw_only=True)
class Config:
    """`backbone`: a timm encoder with a map of stride 4 that can dilate its last stages to `output_stride`.

    `rates`: dilations of the pyramid. `width` of pyramid and decoder, `fine_width` of the map of stride 4.
    """

    backbone: str = "resnet101"
    output_stride: Literal[8, 16, 32] = 16
    rates: tuple[int, ...] = (6, 12, 18)
    width: int = 256
    fine_width: int = 48
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if not self.rates or min(self.rates) < 1:
            raise ValueError("rates must name at least one dilation, each at least 1")
        if min(self.width, self.fine_width) < 1:
            raise ValueError("width and fine_width must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")


def mask_meaning(config: Config) -> MaskMeaning:
    """Softmax over tumour and background."""
    return MaskMeaning(channels=CHANNELS, activation="softmax", lesion_channels=(0,))


class DeepLabV3Plus(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 2 H W`."""

    def __init__(self, config: Config, *, in_channels: int, encoder_weights: str | None):
        super().__init__()
        self.encoder = build_encoder(
            config.backbone,
            in_channels=in_channels,
            weights=encoder_weights,
            options={"output_stride": config.output_stride},
        )
        self.fine_index = self.encoder.reductions.index(FINE_STRIDE)
        width, fine_width = config.width, config.fine_width
        self.coarse = nn.Sequential(
            AtrousPyramid(self.encoder.channels[-1], width, rates=config.rates), nn.Dropout(config.dropout)
        )
        self.fine = nn.Sequential(*_conv_norm_relu(self.encoder.channels[self.fine_index], fine_width, 1))
        self.merge = nn.Sequential(
            *_conv_norm_relu(width + fine_width, width, 3),
            *_conv_norm_relu(width, width, 3),
            nn.Dropout(config.dropout),
        )
        self.mask_head = nn.Conv2d(width, len(CHANNELS), 1)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = self.encoder(image)
        fine = self.fine(features[self.fine_index])
        coarse = resize_to(self.coarse(features[-1]), fine.shape[-2:])
        mask_logits = self.mask_head(self.merge(torch.cat([coarse, fine], dim=1)))
        return MultiTaskOutput(mask_logits=resize_to(mask_logits, image.shape[-2:]), class_logits=None)


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> DeepLabV3Plus:
    return DeepLabV3Plus(config, in_channels=in_channels, encoder_weights=encoder_weights)


def _conv_norm_relu(in_channels: int, out_channels: int, kernel: int) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU()]


SPEC = ModelSpec(
    id="deeplab_v3_plus",
    title="DeepLabv3+",
    citation="Chen, Zhu, Papandreou, Schroff, Adam: Encoder-Decoder with Atrous Separable Convolution for Semantic "
    "Image Segmentation. ECCV 2018",
    dims=2,
    task="seg",
    config_type=Config,
    tiny=Config(backbone="test_resnet", width=16, fine_width=8),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=mask_meaning,
    deviations=(
        "Convolutions are ordinary, not separable, as the count that RMTL-Net prints demands.",
        "The dropouts (0.1) are not stated by the papers that compare with it.",
    ),
)
