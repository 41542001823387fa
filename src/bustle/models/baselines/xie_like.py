"""An approximation of Xie et al. 2018: a shared ResNet encoder with a class head and a segmentation decoder.

Xie, Shi, Niu, Tang, "Breast Ultrasound Image Classification and Segmentation Using Convolutional Neural Networks",
PCM 2018, first classifies with a ResNet and then segments in the manner of Mask R-CNN. This file is NOT that method:
it is what the comparison in the paper of C_MS-VNet makes of it, described there in one sentence - one encoder, a
class head on its deepest map, a decoder for the mask, and no link between the two. It is built from secondary
sources, and its numbers are not the method's.

Own choices: a ResNet-50 with ImageNet's weights, the toolkit's decoder, one sigmoid channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import Decoder, resize_to
from bustle.models.blocks.encoder import build_encoder
from bustle.models.blocks.mean_pooled_head import MeanPooledLinear
from bustle.models.mask_meanings import one_lesion_channel


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `backbone`: any timm `features_only` encoder, with `backbone_options` for timm. `decoder_channels`: one width per
    decoder block but the last, coarse to fine, or None for each skip's own.
    """

    backbone: str = "resnet50"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    decoder_channels: tuple[int, ...] | None = (256, 128, 64, 32)

    def __post_init__(self) -> None:
        if any(width < 1 for width in self.decoder_channels or ()):
            raise ValueError("decoder_channels must be at least 1")


class XieLike(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        self.encoder = build_encoder(
            config.backbone, in_channels=in_channels, weights=encoder_weights, options=config.backbone_options
        )
        self.decoder = Decoder(self.encoder.channels, self.encoder.reductions, channels=config.decoder_channels)
        self.mask_head = nn.Conv2d(self.decoder.out_channels, 1, 1)
        self.class_head = MeanPooledLinear(self.encoder.channels[-1], class_count)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = self.encoder(image)
        mask_logits = resize_to(self.mask_head(self.decoder(features)), image.shape[-2:])
        class_logits = self.class_head(features[-1])
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=class_logits)


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> XieLike:
    return XieLike(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="xie_like",
    title="Shared encoder without cross links (in the manner of Xie et al. 2018)",
    citation="Xie, Shi, Niu, Tang: Breast Ultrasound Image Classification and Segmentation Using Convolutional "
    "Neural Networks. PCM 2018",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(backbone="test_resnet", decoder_channels=(32, 24, 16, 8)),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=one_lesion_channel,
    deviations=(
        "An approximation from secondary sources: its numbers are not those of Xie et al.",
        "The method's two stages, a classifier and then a Mask R-CNN, are one network with two heads here, as in the "
        "comparison that the paper of C_MS-VNet makes.",
    ),
)
