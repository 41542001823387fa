"""The U-Net of Chen, Bai and Rueckert whose classes come from a spatial pyramid of the fourth level.

"Multi-Task Learning for Left Atrial Segmentation on GE-MRI", STACOM 2018, with the layout of its released code: five
down-samplings, bilinear up-sampling, and a class branch that pools the map after the fourth down-sampling on grids
of 4 x 4, 2 x 2 and 1 cells. `backbone` puts a timm encoder in place of the U-Net's own, as ACSNet's paper says of its
comparison.

Own choices: one sigmoid channel for the lesion; cells of maps that a grid does not divide overlap, as in adaptive
pooling; max pooling within a cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from bustle.core.errors import InputError
from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.concat_decoder import ConcatDecoder
from bustle.models.blocks.decoder import Decoder, resize_to
from bustle.models.blocks.encoder import build_encoder
from bustle.models.blocks.pyramid_pool import pyramid_pool
from bustle.models.blocks.unet import UNetEncoder
from bustle.models.mask_meanings import one_lesion_channel

PYRAMID_STRIDE = 16
"""The class branch reads the map after four down-samplings."""
PLAIN_STRIDES = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `widths`: the channels of the six levels, fine to coarse. `decoder_widths`: those of the five stages back, coarse
    to fine. `backbone`: instead any timm `features_only` encoder, with `backbone_options` for timm, whose decoder
    takes each skip's own width. `grids` of the pyramid, cells per side. `hidden`: the width of the first linear
    layer; no activation follows it. `dropout` stands between the two linear layers.
    """

    widths: tuple[int, int, int, int, int, int] = (64, 128, 256, 512, 512, 512)
    decoder_widths: tuple[int, int, int, int, int] = (512, 256, 128, 64, 64)
    backbone: str | None = None
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    grids: tuple[int, ...] = (4, 2, 1)
    hidden: int = 512
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if min(*self.widths, *self.decoder_widths, self.hidden) < 1:
            raise ValueError("widths, decoder_widths and hidden must be at least 1")
        if not self.grids or min(self.grids) < 1:
            raise ValueError("grids must be numbers of at least 1 cell per side")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")


class Chen2018(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        self.grids = config.grids
        if config.backbone is None:
            self.encoder = UNetEncoder(in_channels, config.widths)
            self.decoder = ConcatDecoder(config.widths, config.decoder_widths)
            self.pyramid_level = PLAIN_STRIDES.index(PYRAMID_STRIDE)
        else:
            self.encoder = build_encoder(
                config.backbone, in_channels=in_channels, weights=encoder_weights, options=config.backbone_options
            )
            strides = self.encoder.reductions
            if PYRAMID_STRIDE not in strides:
                raise InputError(
                    f"backbone '{config.backbone}' has no map of stride {PYRAMID_STRIDE}",
                    remedy="choose one that has, such as resnet18",
                )
            self.decoder = Decoder(self.encoder.channels, strides, channels=None)
            self.pyramid_level = strides.index(PYRAMID_STRIDE)
        self.mask_head = nn.Conv2d(self.decoder.out_channels, 1, 1)
        cells = sum(grid**2 for grid in config.grids)
        self.class_head = nn.Sequential(
            nn.Linear(cells * self.encoder.channels[self.pyramid_level], config.hidden),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, class_count),
        )

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = self.encoder(image)
        mask_logits = resize_to(self.mask_head(self.decoder(features)), image.shape[-2:])
        pooled = pyramid_pool(features[self.pyramid_level], self.grids).flatten(1)
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=self.class_head(pooled))


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> Chen2018:
    """Raises `InputError` for encoder weights without a backbone: the plain U-Net has none."""
    if config.backbone is None and encoder_weights is not None:
        raise InputError(
            "the plain U-Net has no published encoder weights",
            remedy="set model.encoder_weights=null, or choose a model.config.backbone",
        )
    return Chen2018(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="chen_2018",
    title="U-Net with a spatial pyramid class branch (Chen et al. 2018)",
    citation="Chen, Bai, Rueckert: Multi-Task Learning for Left Atrial Segmentation on GE-MRI. STACOM 2018",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(widths=(8, 12, 16, 24, 24, 24), decoder_widths=(24, 16, 12, 8, 8), hidden=32),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=one_lesion_channel,
    deviations=(
        "The layout is that of the method's released code; the published parameter count of the comparison, "
        "34.72 million, is not reproduced (30.7 million here).",
        "Convolutions before a batch norm have no bias, which changes nothing but the parameter count.",
        "One sigmoid channel for the lesion replaces the code's background and atrium.",
    ),
)
