"""LA-Net: a coarse lesion map from attended features of all depths, which then guides the class head.

Fan, Gong, Tang, Lee, Zhang, Song, Chen, Li, "Joint localization and classification of breast masses on ultrasound
images using an auxiliary attention-based framework", Medical Image Analysis 2023. The file covers the feature
extractor, the lesion-aware network and the attention-based classifier, with the paper's ablations (`cam`, `sam`,
`mam`). The training in two stages is the recipe's, the pseudo masks are those of the step `semi_supervised`.

The lesion map has the size of the deepest features, 8 x 8 for images of 256 x 256: that is all the detail the
published outlines have.

Own choices where the paper is silent: kernels of 3x3 for the convolutions that squeeze and fuse; Xavier's uniform
form, with biases at zero; bilinear resizing with aligned corners, as the authors' code has it; the class head
starts as PyTorch's linear layers do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.models.blocks.cbam import ChannelAttention, SpatialAttention, SpatialKind
from bustle.models.blocks.encoder import build_encoder
from bustle.models.blocks.mean_pooled_head import MeanPooledLinear

TAPS = 4
"""How many of the encoder's maps are used, counted from the deepest: a ResNet's map of stride 2 is not."""
LEAST_PROBABILITY = 1e-6
"""Probabilities closer to 0 or 1 than this become finite logits."""
LESION = MaskMeaning(channels=("lesion",), activation="sigmoid", lesion_channels=(0,))


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `backbone`: any timm `features_only` encoder, with `backbone_options` for timm (for example `pad_type`).
    `cam` and `sam`: attention over channels, then over places, in front of the lesion map; `channel_reduction` of
    the first one's hidden layer; `sam_kind`: `cbam7x7` is one 7x7 convolution, as in CBAM and the paper, `stack3x3`
    three of 3x3, as in the authors' code. `mam`: the lesion map strengthens the features that are classified.
    """

    backbone: str = "resnet50"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    cam: bool = True
    channel_reduction: int = 16
    sam: bool = True
    sam_kind: SpatialKind = "cbam7x7"
    mam: bool = True

    def __post_init__(self) -> None:
        if self.channel_reduction < 1:
            raise ValueError("channel_reduction must be at least 1")


def mask_meaning(config: Config) -> MaskMeaning:
    """One sigmoid channel, the lesion."""
    return LESION


def map_meanings(config: Config) -> dict[str, MaskMeaning]:
    """`location` is the lesion map at the size of the deepest features, which the location loss is about."""
    return {"location": LESION}


class LesionAwareNetwork(nn.Module):
    """Maps the encoder's features, fine to coarse, to location logits `B 1 h w` at the size of the last one."""

    def __init__(self, channels: Sequence[int], config: Config):
        super().__init__()
        self.taps = nn.ModuleList(nn.Sequential(*_tap(width, config)) for width in channels)
        self.fuse = nn.Sequential(nn.Conv2d(len(channels), 1, 3, padding=1), nn.BatchNorm2d(1))
        self.apply(_start_like_xavier)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        size = features[-1].shape[-2:]
        squeezed = [tap(feature) for tap, feature in zip(self.taps, features, strict=True)]
        return self.fuse(torch.cat([_resize(each, size) for each in squeezed], dim=1))


def _tap(width: int, config: Config) -> list[nn.Module]:
    """CAM, SAM and the convolution that squeezes `width` channels to one."""
    layers: list[nn.Module] = []
    if config.cam:
        layers.append(ChannelAttention(width, reduction=config.channel_reduction))
    if config.sam:
        layers.append(SpatialAttention(kind=config.sam_kind))
    return [*layers, nn.Conv2d(width, 1, 3, padding=1)]


def _start_like_xavier(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=True)


def guided(features: Tensor, location: Tensor) -> Tensor:
    """Mask attention (eq. 4): features `B C h w` plus themselves times the lesion probability `B 1 h w`."""
    return features + features * location


class LaNet(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and class logits `B N`.

    The mask logits belong to the enlarged lesion probability, so that they exceed 0 where the paper's threshold of
    0.5 draws the lesion; `aux_masks["location"]` holds the map itself.
    """

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        self.encoder = build_encoder(
            config.backbone, in_channels=in_channels, weights=encoder_weights, options=config.backbone_options
        )
        channels = self.encoder.channels[-TAPS:]
        self.lesion_aware = LesionAwareNetwork(channels, config)
        self.mask_attention = config.mam
        self.class_head = MeanPooledLinear(channels[-1], class_count)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = self.encoder(image)[-TAPS:]
        location_logits = self.lesion_aware(features)
        location = location_logits.to(torch.promote_types(location_logits.dtype, torch.float32)).sigmoid()
        deepest = guided(features[-1], location) if self.mask_attention else features[-1]
        return MultiTaskOutput(
            mask_logits=torch.logit(_resize(location, image.shape[-2:]), eps=LEAST_PROBABILITY),
            class_logits=self.class_head(deepest),
            aux_masks={"location": location_logits},
        )


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> LaNet:
    return LaNet(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="la_net",
    title="LA-Net",
    citation="Fan, Gong, Tang, Lee, Zhang, Song, Chen, Li: Joint localization and classification of breast masses on "
    "ultrasound images using an auxiliary attention-based framework. Medical Image Analysis 2023",
    dims=2,
    task="joint",
    config_type=Config,
    # Strides 2 and 4: the lesions of small test images are larger than the cells of the map.
    tiny=Config(backbone="test_resnet", backbone_options={"out_indices": (0, 1)}),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=mask_meaning,
    map_meanings=map_meanings,
    deviations=(
        "The paper states neither the kernels of the squeezing and fusing convolutions nor how maps are resized: "
        "3x3, and bilinear with aligned corners, as in the authors' code.",
        "Spatial attention is CBAM's 7x7 convolution, which the paper refers to; the authors' code stacks three of "
        "3x3 (sam_kind: stack3x3).",
        "Xavier's uniform form with biases at zero starts the lesion-aware part; the paper does not name the form.",
        "The paper prints that maps grow with depth; they halve.",
    ),
)
