"""The U-Net with a class head on its bottleneck of Wang, Patel and Hacihaliloglu.

"Simultaneous Segmentation and Classification of Bone Surfaces from Ultrasound Using a Multi-Feature Guided CNN",
MICCAI 2018. The file covers the network of both tasks; the pre-enhancing network that stands in front of it works
on phase filters for bone and is left out. `backbone` puts a timm encoder in place of the U-Net's own, as in the
comparisons of ACSNet, where all networks have a ResNet-18.

Own choices: batch norm; the class head's 1x1 convolution keeps the width; one sigmoid channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from bustle.core.errors import InputError
from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import Decoder, resize_to
from bustle.models.blocks.encoder import build_encoder
from bustle.models.blocks.mean_pooled_head import MeanPooledLinear
from bustle.models.blocks.unet import UNetDecoder, UNetEncoder
from bustle.models.mask_meanings import one_lesion_channel


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `backbone`: any timm `features_only` encoder, with `backbone_options` for timm, or None for the plain U-Net.
    `widths` per level of the plain U-Net, fine to coarse. `decoder_channels` of a network with a backbone: one
    width per decoder block but the last, coarse to fine, or None for each skip's own.
    """

    backbone: str | None = None
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    decoder_channels: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not 2 <= len(self.widths) <= 5 or min(self.widths) < 1:
            raise ValueError("widths must be 2 to 5 numbers of at least 1")
        if any(width < 1 for width in self.decoder_channels or ()):
            raise ValueError("decoder_channels must be at least 1")


class Wang2018(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        if config.backbone is None:
            self.encoder = UNetEncoder(in_channels, config.widths)
            self.decoder = UNetDecoder(config.widths)
        else:
            self.encoder = build_encoder(
                config.backbone, in_channels=in_channels, weights=encoder_weights, options=config.backbone_options
            )
            channels, strides = self.encoder.channels, self.encoder.reductions
            self.decoder = Decoder(channels, strides, channels=config.decoder_channels)
        self.mask_head = nn.Conv2d(self.decoder.out_channels, 1, 1)
        width = self.encoder.channels[-1]
        self.class_features = nn.Sequential(nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.class_head = MeanPooledLinear(width, class_count)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = self.encoder(image)
        class_logits = self.class_head(self.class_features(features[-1]))
        mask_logits = resize_to(self.mask_head(self.decoder(features)), image.shape[-2:])
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=class_logits)


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> Wang2018:
    """Raises `InputError` for encoder weights without a backbone: the plain U-Net has none."""
    if config.backbone is None and encoder_weights is not None:
        raise InputError(
            "the plain U-Net has no published encoder weights",
            remedy="set model.encoder_weights=null, or choose a model.config.backbone",
        )
    return Wang2018(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="wang_2018",
    title="U-Net with a class head (Wang et al. 2018)",
    citation="Wang, Patel, Hacihaliloglu: Simultaneous Segmentation and Classification of Bone Surfaces from "
    "Ultrasound Using a Multi-Feature Guided CNN. MICCAI 2018",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(widths=(8, 16, 32, 48)),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=one_lesion_channel,
    deviations=(
        "The pre-enhancing network on phase filters is left out: it is specific to bone.",
        "The class head is a 1x1 convolution of the bottleneck's width, global pooling and one linear layer.",
        "Convolutions are padded and followed by batch norm.",
    ),
)
