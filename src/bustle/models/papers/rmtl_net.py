"""RMTL-Net: a U-Net with ResNet encoder whose class head looks at predicted regions.

Xu, Huang, Qi, "A Regional-Attentive Multi-Task Learning Framework for Breast Ultrasound Image Segmentation and
Classification", IEEE Access 2023. One class covers the paper's eight variants (`regions`), the segmentation-only
UResNet (`classification: false`) and its λ, threshold and resize choices.

Own choices where the paper is silent: the decoder's layout is the one whose parameter count equals the published
one exactly; the threshold of the regional attention passes the gradient of what it keeps; regions are fused
without an activation; dropout stands before the linear layer; maps that a stride does not divide are resized.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from timm.layers.squeeze_excite import SEModule
from torch import Tensor, nn

from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.models.blocks.cbam import ChannelAttention, SpatialAttention
from bustle.models.blocks.decoder import Decoder, resize_to
from bustle.models.blocks.encoder import build_encoder
from bustle.models.blocks.mean_pooled_head import SummedCellsSequence
from bustle.models.blocks.regional_attention import RegionalAttention

Region = Literal["tumour", "peritumoral", "background"]
REGIONS: tuple[Region, ...] = ("tumour", "peritumoral", "background")
IMAGENET_CLASSES = 1000
Attention = Literal["none", "se", "cbam"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `backbone`: any timm `features_only` encoder, with `backbone_options` for timm (for example `pad_type`).
    `stem`: `deep` is the three-convolution stem that the published parameter counts demand. `decoder_channels`:
    None is the published layout, each block as wide as its skip; or one width per block, coarse to fine.
    `regions` that guide the class head; without any it is MTL-Net, which has two mask channels instead of three.
    `attention` in place of regions gates the deepest features before they are pooled: squeeze and excitation (Hu et
    al., CVPR 2018) or CBAM (Woo et al., ECCV 2018), which the authors name as future work.
    `threshold`, `detach_probability`, `region_resize`, `region_pool`: see `RegionalAttention`.
    `classification` False leaves the class head out (UResNet). `keep_unused_fc` keeps ImageNet's 1000-class layer,
    unused and frozen, which the published counts include.
    """

    backbone: str = "resnet101"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    stem: Literal["standard", "deep"] = "standard"
    decoder_channels: tuple[int, ...] | None = None
    regions: tuple[Region, ...] = REGIONS
    attention: Attention = "none"
    threshold: float = 0.5
    detach_probability: bool = False
    region_resize: Literal["nearest", "area"] = "nearest"
    region_pool: Literal["global", "masked"] = "global"
    classification: bool = True
    dropout: float = 0.5
    keep_unused_fc: bool = False

    def __post_init__(self) -> None:
        if len(set(self.regions)) != len(self.regions):
            raise ValueError("regions names a region twice")
        if self.regions and not self.classification:
            raise ValueError("regions guide the class head: classification false needs an empty list")
        if self.attention != "none" and (self.regions or not self.classification):
            raise ValueError("attention stands in place of regions, before the class head: regions must be empty")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")
        if not 0 <= self.threshold < 1:
            raise ValueError("threshold must be at least 0 and below 1")
        if any(width < 1 for width in self.decoder_channels or ()):
            raise ValueError("decoder_channels must be at least 1")


def mask_meaning(config: Config) -> MaskMeaning:
    """Softmax over tumour, peritumoral, background; without regions over tumour and background."""
    channels = REGIONS if config.regions else ("tumour", "background")
    return MaskMeaning(channels=channels, activation="softmax", lesion_channels=(0,))


class RmtlNet(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B K H W` and class logits `B N`."""

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
        self.mask_head = nn.Conv2d(self.decoder.out_channels, len(mask_meaning(config).channels), 3, padding=1)
        self.attention = None
        self.guiding = tuple(region for region in REGIONS if region in config.regions)
        if self.guiding:
            self.attention = RegionalAttention(
                [REGIONS.index(region) for region in self.guiding],
                threshold=config.threshold,
                detach_probability=config.detach_probability,
                resize=config.region_resize,
                pool=config.region_pool,
            )
        self.gate = feature_gate(config.attention, width)
        self.class_head = None
        if config.classification:
            self.class_head = SummedCellsSequence(nn.Dropout(config.dropout), nn.Linear(width, class_count))
        if config.keep_unused_fc:
            self.unused_fc = nn.Linear(width, IMAGENET_CLASSES).requires_grad_(False)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = self.encoder(image)
        mask_logits = resize_to(self.mask_head(self.decoder(features)), image.shape[-2:])
        if self.class_head is None:
            return MultiTaskOutput(mask_logits=mask_logits, class_logits=None)
        deepest = features[-1]
        if self.attention is None:
            gated = self.gate(deepest)
            pooled, cells = gated.mean(dim=(-2, -1)), lambda: gated / (gated.shape[-2] * gated.shape[-1])
        else:
            attend = self.attention
            pooled, cells = attend(deepest, mask_logits), lambda: attend.cells(deepest, mask_logits)
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=self.class_head(pooled, cells))

    def attention_maps(self, image: Tensor) -> dict[str, Tensor]:
        """Where the class head looks: a map `B h w` for each region that guides it, or the one of CBAM."""
        features = self.encoder(image)
        deepest = features[-1]
        if self.attention is not None:
            mask_logits = resize_to(self.mask_head(self.decoder(features)), image.shape[-2:])
            maps = self.attention.maps(deepest, mask_logits).unbind(dim=1)
            return {f"regional_attention_{region}": one for region, one in zip(self.guiding, maps, strict=True)}
        if isinstance(self.gate, CbamGate):
            return {"spatial_attention": self.gate.places(deepest)[:, 0]}
        return {}


class CbamGate(nn.Sequential):
    """CBAM's two attentions, one after the other, on features `B C h w`."""

    def __init__(self, width: int):
        super().__init__(ChannelAttention(width), SpatialAttention())

    def places(self, features: Tensor) -> Tensor:
        """What every place is multiplied by, `B 1 h w`."""
        channels, places = self
        assert isinstance(places, SpatialAttention)
        return places.map(channels(features))


def feature_gate(attention: Attention, width: int) -> nn.Module:
    """Weighs features `B C h w` by channel, with CBAM by place too; both have `width`/16 hidden channels."""
    if attention == "se":
        return SEModule(width, rd_ratio=1 / 16, rd_divisor=1)
    return CbamGate(width) if attention == "cbam" else nn.Identity()


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> RmtlNet:
    return RmtlNet(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="rmtl_net",
    title="RMTL-Net",
    citation="Xu, Huang, Qi: A Regional-Attentive Multi-Task Learning Framework for Breast Ultrasound Image "
    "Segmentation and Classification. IEEE Access 2023",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(backbone="test_resnet", decoder_channels=(32, 24, 16, 8)),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=mask_meaning,
    deviations=(
        "The decoder's block layout and the batch norm after region fusion are inferred from the published "
        "parameter counts, which they match exactly.",
        "The gradient through the threshold of the regional attention is not described: it passes through kept "
        "values and is zero elsewhere.",
        "The text after eq. 6 multiplies by the probabilities before the threshold, eq. 2 by those after it.",
        "Networks guided by some of the regions still predict all three, so that only the guidance changes.",
        "Maps of sizes that the strides do not divide are resized bilinearly; the paper uses 256 x 256 only.",
    ),
    without_gradient=lambda config: ("unused_fc.",) if config.keep_unused_fc else (),
)
