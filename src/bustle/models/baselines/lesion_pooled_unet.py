"""A light U-Net whose class head looks at the whole image and at the outlined lesion.

bustle's own network, for answers on a plain processor. Two ideas of the field's papers in their plainest form: class
features are pooled over the predicted lesion (as RMTL-Net's regional attention pools over its regions), and beside it
over the whole image, which knows best whether there is a lesion at all. Both poolings are means, so that the class
logits are a sum over the cells of the feature map: `class_maps` shows exactly what every cell added.

The decoder ends at the encoder's finest map (stride 2 for most), where half of a full-size decoder's work is saved;
the mask logits are enlarged bilinearly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.errors import InputError
from bustle.core.network import KeepMaps, ModelSpec, MultiTaskOutput
from bustle.models.blocks.concat_decoder import ConcatDecoder
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.encoder import build_encoder
from bustle.models.blocks.mean_pooled_head import cell_addends
from bustle.models.mask_meanings import one_lesion_channel

LEAST_MASS = 1e-3
"""Cells' worth of lesion below which the pooling over the lesion fades to nothing, instead of amplifying noise."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `backbone`: any timm `features_only` encoder, with `backbone_options` for timm. `decoder_channels`: one width per
    map of the encoder but the deepest, coarse to fine. `class_width`: the channels that are pooled for the classes,
    made from the encoder's two deepest maps; `dropout` of the pooled values.
    """

    backbone: str = "tf_efficientnet_lite0"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    decoder_channels: tuple[int, ...] = (128, 64, 32, 16)
    class_width: int = 192
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if any(width < 1 for width in (*self.decoder_channels, self.class_width)):
            raise ValueError("decoder_channels and class_width must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")


class LesionPooledHead(nn.Module):
    """Maps the encoder's two deepest maps and the lesion probability `B 1 H W` to class logits `B N`.

    The probability takes part as a weight only: no gradient of the classes reaches the outline.
    """

    def __init__(self, channels: Sequence[int], *, width: int, class_count: int, dropout: float):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(sum(channels), width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.dropout = nn.Dropout(dropout)
        self.of_image = nn.Linear(width, class_count)
        self.of_lesion = nn.Linear(width, class_count, bias=False)

    def forward(self, maps: Sequence[Tensor], lesion: Tensor, *, keep_maps: KeepMaps | None = None) -> Tensor:
        fine, coarse = maps
        features = self.features(torch.cat([fine, resize_to(coarse, fine.shape[-2:])], dim=1))
        share = lesion_share(lesion, size=(features.shape[-2], features.shape[-1]))
        if keep_maps is not None:
            keep_maps(self.class_maps(features, share))
        image_vector = features.mean(dim=(-2, -1))
        lesion_vector = (features * share).sum(dim=(-2, -1))
        return self.of_image(self.dropout(image_vector)) + self.of_lesion(self.dropout(lesion_vector))

    def class_maps(self, features: Tensor, share: Tensor) -> Tensor:
        """What each cell adds to the class logits, `B N h w`: their sum and the bias are the logits.

        Of the features `B C h w` that are pooled, and the share of the lesion that lies in each cell, `B 1 h w`.
        """
        of_image = cell_addends(features, self.of_image) / features[0, 0].numel()
        return of_image + cell_addends(features, self.of_lesion) * share


def lesion_share(probability: Tensor, *, size: tuple[int, int]) -> Tensor:
    """The share of the lesion that lies in each cell, `B 1 h w`: sums to 1, or to nearly 0 where nothing is drawn."""
    cells = F.adaptive_avg_pool2d(probability.detach(), size)
    return cells / (cells.sum(dim=(-2, -1), keepdim=True) + LEAST_MASS)


class LesionPooledUNet(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        self.encoder = build_encoder(
            config.backbone, in_channels=in_channels, weights=encoder_weights, options=config.backbone_options
        )
        channels = self.encoder.channels
        if len(config.decoder_channels) != len(channels) - 1:
            raise InputError(
                f"model.config.decoder_channels has {len(config.decoder_channels)} widths",
                remedy=f"this backbone needs {len(channels) - 1}, one per map but the deepest",
            )
        self.decoder = ConcatDecoder(channels, config.decoder_channels)
        self.mask_head = nn.Conv2d(self.decoder.out_channels, 1, 1)
        self.class_head = LesionPooledHead(
            channels[-2:], width=config.class_width, class_count=class_count, dropout=config.dropout
        )

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = self.encoder(image)
        mask_logits = resize_to(self.mask_head(self.decoder(features)), image.shape[-2:])
        class_logits = self.class_head(features[-2:], mask_logits.sigmoid())
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=class_logits)


def build(
    config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None
) -> LesionPooledUNet:
    return LesionPooledUNet(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="lesion_pooled_unet",
    title="Light U-Net that classifies the whole image and the outlined lesion",
    citation="Ronneberger, Fischer, Brox: U-Net. MICCAI 2015; Xu, Huang, Qi: A Regional-Attentive Multi-Task "
    "Learning Framework for Breast Ultrasound Image Segmentation and Classification. IEEE Access 2023",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(backbone="test_resnet", decoder_channels=(16, 16, 8, 8), class_width=16),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=one_lesion_channel,
    deviations=("No paper has this network: it is this project's own.",),
)
