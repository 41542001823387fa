"""U-Net of widths 64 to 1024: double convolutions, max pooling, transposed convolutions.

Ronneberger, Fischer, Brox, MICCAI 2015; compared in LA-Net and CTG-Net. Padded convolutions and batch norm, as in
the version pre-trained on car images that LA-Net's authors start from (31,037,633 parameters with one mask
channel), instead of the original's unpadded ones without norm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.unet import ConvStyle, UNetDecoder, UNetEncoder
from bustle.models.mask_meanings import one_lesion_channel


@dataclass(frozen=True, kw_only=True)
class Config:
    """`widths` per level, fine to coarse; `style` of the convolutions; `up`: how the decoder doubles a map."""

    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    style: ConvStyle = field(default_factory=ConvStyle)
    up: Literal["transposed", "bilinear"] = "transposed"

    def __post_init__(self) -> None:
        if not 2 <= len(self.widths) <= 5 or min(self.widths) < 1:
            raise ValueError("widths must be 2 to 5 numbers of at least 1")


class UNet(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W`."""

    def __init__(self, config: Config, *, in_channels: int):
        super().__init__()
        self.encoder = UNetEncoder(in_channels, config.widths, style=config.style)
        self.decoder = UNetDecoder(config.widths, style=config.style, up=config.up)
        self.mask_head = nn.Conv2d(self.decoder.out_channels, 1, 1)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        return MultiTaskOutput(mask_logits=self.mask_head(self.decoder(self.encoder(image))), class_logits=None)


def build(config: Config, *, in_channels: int, class_count: int) -> UNet:
    """Without classes, `class_count` makes no difference."""
    return UNet(config, in_channels=in_channels)


SPEC = ModelSpec(
    id="unet",
    title="U-Net",
    citation="Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation. "
    "MICCAI 2015",
    dims=2,
    task="seg",
    config_type=Config,
    tiny=Config(widths=(8, 16, 24)),
    build=build,
    mask_meaning=one_lesion_channel,
    deviations=("Convolutions are padded and followed by batch norm; the original's are neither.",),
)
