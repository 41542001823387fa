"""MTL-COSA: self-attention over the tumour, its contour and the background that the network itself has outlined.

Xu, Huang, Qi, "Multi-Task Learning with Context-Oriented Self-Attention for Breast Ultrasound Image Classification
and Segmentation", ISBI 2022, as its authors describe it in the paper of RMTL-Net (IEEE Access 2023), where its
parameters are counted. The file covers the U-Net with ResNet encoder, the regions and their attention.

Own choices where the sources are silent: the attention is scaled dot-product attention; the residual is added
without a factor; regions do not overlap; regions are fused as in RMTL-Net; dropout stands before the linear layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import Decoder, resize_to
from bustle.models.blocks.encoder import build_encoder
from bustle.models.blocks.mean_pooled_head import SummedCellsSequence
from bustle.models.blocks.regional_attention import RegionFusion

TUMOUR, BACKGROUND = 0, 1
REGION_COUNT = 3
IMAGENET_CLASSES = 1000


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `backbone`: any timm `features_only` encoder, with `backbone_options` for timm (for example `pad_type`).
    `stem`: `deep` is the three-convolution stem that the published parameter count demands. `decoder_channels`:
    None is the published layout, each block as wide as its skip; or one width per block, coarse to fine.
    `ring_width`: how far the contour's region reaches to either side of the contour, in pixels of the input.
    `region_resize`: how regions come to the size of the deepest features. `attention_reduction`: queries and keys
    have that much fewer channels than the features. `keep_unused_fc` keeps ImageNet's 1000-class layer, unused
    and frozen, which the published count includes.
    """

    backbone: str = "resnet101"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    stem: Literal["standard", "deep"] = "standard"
    decoder_channels: tuple[int, ...] | None = None
    ring_width: int = 5
    region_resize: Literal["nearest", "area"] = "nearest"
    attention_reduction: int = 8
    dropout: float = 0.5
    keep_unused_fc: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.ring_width <= 255:
            raise ValueError("ring_width must be 1 to 255")
        if self.attention_reduction < 1:
            raise ValueError("attention_reduction must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")
        if any(width < 1 for width in self.decoder_channels or ()):
            raise ValueError("decoder_channels must be at least 1")


def mask_meaning(config: Config) -> MaskMeaning:
    """Softmax over tumour and background."""
    return MaskMeaning(channels=("tumour", "background"), activation="softmax", lesion_channels=(TUMOUR,))


def contour_regions(tumour: Tensor, *, width: int) -> Tensor:
    """The regions of a tumour mask, `B 1 H W` of 0 and 1: tumour, contour, background, `B 3 H W`, one per pixel.

    The contour's region holds the `width` pixels (in the sense of squares) on either side of the border between
    tumour and background; the border of the image is none. Max pooling, so that nothing leaves the device.
    """
    dilated = F.max_pool2d(tumour, 2 * width + 1, stride=1, padding=width)
    eroded = 1 - F.max_pool2d(1 - tumour, 2 * width + 1, stride=1, padding=width)
    return torch.cat([eroded, dilated - eroded, 1 - dilated], dim=1)


class SelfAttention(nn.Module):
    """Every place of `B C h w` looks at every other: x + softmax(q kᵀ / √d) v, with 1x1 convolutions for q, k, v."""

    def __init__(self, channels: int, *, inner_channels: int):
        super().__init__()
        self.query = nn.Conv2d(channels, inner_channels, 1)
        self.key = nn.Conv2d(channels, inner_channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        query, key, value = (part(features).flatten(2).transpose(1, 2) for part in (self.query, self.key, self.value))
        weights = (query @ key.transpose(1, 2) / query.shape[-1] ** 0.5).softmax(dim=-1)
        return features + (weights @ value).transpose(1, 2).reshape(features.shape)


class MtlCosa(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 2 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        self.encoder = build_encoder(
            config.backbone,
            in_channels=in_channels,
            weights=encoder_weights,
            stem=config.stem,
            options=config.backbone_options,
        )
        width = self.encoder.channels[-1]
        self.decoder = Decoder(self.encoder.channels, self.encoder.reductions, channels=config.decoder_channels)
        self.mask_head = nn.Conv2d(self.decoder.out_channels, 2, 3, padding=1)
        self.ring_width = config.ring_width
        self.region_resize: Literal["nearest", "area"] = config.region_resize
        inner = max(1, width // config.attention_reduction)
        self.attention = nn.ModuleList(SelfAttention(width, inner_channels=inner) for _ in range(REGION_COUNT))
        self.fusion = RegionFusion(REGION_COUNT)
        self.class_head = SummedCellsSequence(nn.Dropout(config.dropout), nn.Linear(width, class_count))
        if config.keep_unused_fc:
            self.unused_fc = nn.Linear(width, IMAGENET_CLASSES).requires_grad_(False)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = self.encoder(image)
        mask_logits = resize_to(self.mask_head(self.decoder(features)), image.shape[-2:])
        deepest = features[-1]
        tumour = mask_logits[:, TUMOUR : TUMOUR + 1] > mask_logits[:, BACKGROUND : BACKGROUND + 1]
        regions = contour_regions(tumour.to(deepest.dtype), width=self.ring_width)
        regions = F.interpolate(regions, size=deepest.shape[-2:], mode=self.region_resize)
        attended = torch.stack(
            [attend(deepest * regions[:, index : index + 1]) for index, attend in enumerate(self.attention)], dim=1
        )
        pooled = self.fusion(attended.mean(dim=(-2, -1)))

        def cells() -> Tensor:
            shares = self.fusion.region_weights / (deepest.shape[-2] * deepest.shape[-1])
            return (attended * shares.to(attended.dtype)[:, None, None, None]).sum(dim=1)

        return MultiTaskOutput(mask_logits=mask_logits, class_logits=self.class_head(pooled, cells))


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> MtlCosa:
    return MtlCosa(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="mtl_cosa",
    title="MTL-COSA",
    citation="Xu, Huang, Qi: Multi-Task Learning with Context-Oriented Self-Attention for Breast Ultrasound Image "
    "Classification and Segmentation. ISBI 2022",
    dims=2,
    task="joint",
    config_type=Config,
    # Strides 2, 4 and 8, so that the regions of a 64 px image fall into more than four cells.
    tiny=Config(
        backbone="test_resnet",
        backbone_options={"out_indices": (0, 1, 2)},
        decoder_channels=(24, 16),
        ring_width=1,
        region_resize="area",
    ),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=mask_meaning,
    deviations=(
        "Built from the description and the parameter count in the paper of RMTL-Net, which it matches exactly; how "
        "its parts are wired is inferred.",
        "The ring is given as 5 pixels wide, covering tumour and background evenly: it is taken as 5 pixels on "
        "either side of the predicted contour; it may mean 5 in all.",
        "Six parameters besides the attention fit a fusion with bias and batch norm, or three weights and three "
        "factors of the residuals: the former is taken, as RMTL-Net by the same authors has it.",
        "Regions are brought to the size of the features by the nearest pixel; the sources do not say.",
    ),
    without_gradient=lambda config: ("unused_fc.",) if config.keep_unused_fc else (),
)
