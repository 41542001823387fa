"""ACSNet: a U-Net whose skips pass a gate and whose decoder bends its convolutions, with a multi-scale class head.

He, Yang, Su, Wang, "Multi-task learning for segmentation and classification of breast tumors from ultrasound
images", Computers in Biology and Medicine 2024. One class covers the paper's ten networks: gates, deformable spatial
attention (`dsa_stages`), channel attention (`ca`) and fusion of scales (`multi_scale`) switch off one by one, down to
UNet (`classification: false`) and ClsNet (`segmentation: false`).

The paper leaves out layers, widths and places; where it does, the network is the released one (ResNet-18 with five
down-samplings, a gate on the bottleneck too, modulated deformable convolution in stages 6 and 7, channel attention
from mean and maximum). Own choices: the widths of the decoder follow those of the encoder, which for ResNet-18 are
the released ones; maps are resized to their skip's size instead of doubled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.models.blocks.deformable import DeformableConv
from bustle.models.blocks.encoder import Encoder, build_encoder
from bustle.models.blocks.unet import ConvStyle, UNetEncoder

FIRST_DECODER_STAGE = 6
STAGE_GROUP = 32
"""Channels per group of a decoder stage's group norms."""
IMAGENET_CLASSES = 1000
UNET_WIDTHS = (32, 64, 128, 256, 512)
"""The paper prints none; the multiply-accumulates of these come closest to the printed ones of UNet and CUNet."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `backbone`: any timm `features_only` encoder, with `backbone_options` for timm (for example `pad_type`); or
    "unet": the plain one, 32 to 512 channels in four down-samplings, each convolution followed by group norm.
    `gate`: a gate unit on every skip, and with `gate_on_bottleneck` on the coarsest map too; `gate_kind` as
    `GateUnit` says. `dsa_stages`: the
    decoder stages that end with deformable spatial attention, counted from 6, the coarsest; `dcn_modulated`: its
    deformable convolutions weigh their taps (v2; v1 only moves them). `ca`: channel attention on what the class head
    reads; `ca_kind` "code" is the released one, from mean and maximum, "se" the paper's squeeze and excitation.
    `multi_scale`: the class head reads the two coarsest maps of the encoder and stage 6, otherwise the coarsest map.
    `segmentation` False leaves the decoder out (ClsNet), `classification` False the class head (UNet).
    `keep_unused_fc` keeps ImageNet's 1000-class layer, unused and frozen, which the released network contains.
    """

    backbone: str = "resnet18"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    gate: bool = True
    gate_kind: Literal["code", "paper"] = "code"
    gate_on_bottleneck: bool = True
    dsa_stages: tuple[int, ...] = (6, 7)
    dcn_modulated: bool = True
    ca: bool = True
    ca_kind: Literal["code", "se"] = "code"
    multi_scale: bool = True
    segmentation: bool = True
    classification: bool = True
    keep_unused_fc: bool = False

    def __post_init__(self) -> None:
        if not (self.segmentation or self.classification):
            raise ValueError("segmentation and classification cannot both be false")
        if not self.segmentation and (self.gate or self.dsa_stages or self.multi_scale):
            raise ValueError("without segmentation gate and multi_scale must be false too, dsa_stages empty")
        if not self.classification and (self.ca or self.multi_scale):
            raise ValueError("without classification ca and multi_scale must be false too")
        if len(set(self.dsa_stages)) != len(self.dsa_stages) or min(self.dsa_stages, default=6) < FIRST_DECODER_STAGE:
            raise ValueError(f"dsa_stages must be different stages from {FIRST_DECODER_STAGE} on")


def mask_meaning(config: Config) -> MaskMeaning | None:
    """One sigmoid map of the lesion; None for ClsNet."""
    if not config.segmentation:
        return None
    return MaskMeaning(channels=("lesion",), activation="sigmoid", lesion_channels=(0,))


class GateUnit(nn.Module):
    """conv((G1 + G2) f) for maps `B C H W`, where the gates G1, G2 in 0..1 are one number per image (eq. 1 to 3).

    Kind "paper" looks at the map with one convolution for each gate, "code", as released, with a hidden layer before.
    """

    def __init__(self, channels: int, *, kind: Literal["code", "paper"] = "code"):
        super().__init__()
        hidden = max(2, channels // 8)
        before = [nn.Conv2d(channels, hidden, 3, padding=1), group_norm(hidden, 2), nn.ReLU()]
        self.look = nn.Sequential(
            *(before if kind == "code" else []),
            nn.Conv2d(hidden if kind == "code" else channels, 2, 3, padding=1),
        )
        self.out = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), group_norm(channels, 4), nn.ReLU())

    def gate(self, features: Tensor) -> Tensor:
        """G1 + G2, in 0..2, shape `B 1 1 1`: the mean of one sigmoid map and the maximum of another."""
        maps = self.maps(features)
        return (maps[:, :1].mean(dim=(-2, -1)) + maps[:, 1:].amax(dim=(-2, -1)))[:, :, None, None]

    def maps(self, features: Tensor) -> Tensor:
        """The two sigmoid maps, `B 2 H W`: the mean of the first is G1, the maximum of the second G2."""
        return self.look(features).sigmoid()

    def forward(self, features: Tensor) -> Tensor:
        return self.out(features * self.gate(features))


class DeformableSpatialAttention(nn.Module):
    """A deformable convolution, two spatial attentions (from mean and maximum), a second one (eq. 4 to 7).

    Keeps the shape `B C H W`.
    """

    def __init__(self, channels: int, *, modulated: bool):
        super().__init__()
        self.first = _deformable(channels, channels, modulated=modulated)
        self.from_mean = nn.Conv2d(1, 1, 3, padding=1)
        self.from_max = nn.Conv2d(1, 1, 3, padding=1)
        self.last = _deformable(2 * channels, channels, modulated=modulated)

    def forward(self, features: Tensor) -> Tensor:
        bent = self.first(features)
        mean, maximum = self._places(bent)
        return self.last(torch.cat([bent * mean, bent * maximum], dim=1))

    def maps(self, features: Tensor) -> Tensor:
        """The two spatial attentions, `B 2 H W`: that from the mean over the channels, that from the maximum."""
        return torch.cat(self._places(self.first(features)), dim=1)

    def _places(self, bent: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.from_mean(bent.mean(dim=1, keepdim=True)).sigmoid()
        return mean, self.from_max(bent.amax(dim=1, keepdim=True)).sigmoid()


class ChannelAttention(nn.Module):
    """Weighs the channels of `B C H W` by a sigmoid of their means; "code": of means and maxima, with ReLU after."""

    def __init__(self, channels: int, *, kind: Literal["code", "se"]):
        super().__init__()
        self.kind: Literal["code", "se"] = kind
        hidden = max(4, channels // 16)
        pooled = 2 * channels if kind == "code" else channels
        self.mlp = nn.Sequential(nn.Linear(pooled, hidden), nn.ReLU(), nn.Linear(hidden, channels))

    def forward(self, features: Tensor) -> Tensor:
        pooled = features.mean(dim=(-2, -1))
        if self.kind == "code":
            pooled = torch.cat([pooled, features.amax(dim=(-2, -1))], dim=1)
        weighed = features * self.mlp(pooled).sigmoid()[:, :, None, None]
        return weighed.relu() if self.kind == "code" else weighed


class DecoderStage(nn.Module):
    """A coarse map to twice the skip's width at the skip's size.

    `last`: the finest stage's lighter form, a 1x1 and a 3x3 convolution instead of two 3x3.
    """

    def __init__(self, in_channels: int, skip_channels: int, *, last: bool, attention: nn.Module | None):
        super().__init__()
        self.out_channels = 2 * skip_channels
        self.reduce = nn.Sequential(nn.Conv2d(in_channels, skip_channels, 1), nn.ReLU())
        width = self.out_channels
        first = [nn.Conv2d(width, width, 1), nn.ReLU()] if last else _conv_norm_relu(width)
        self.merge = nn.Sequential(*first, *_conv_norm_relu(width))
        self.attention = attention

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        return self.attended(self.merged(coarse, skip))

    def merged(self, coarse: Tensor, skip: Tensor) -> Tensor:
        """What the attention, if there is one, is given."""
        return self.merge(torch.cat([resize_aligned(self.reduce(coarse), skip), skip], dim=1))

    def attended(self, merged: Tensor) -> Tensor:
        return merged if self.attention is None else self.attention(merged)


class Decoder(nn.Module):
    """Maps the encoder's maps, fine to coarse, to those of the stages, coarse to fine; gates what it reads."""

    def __init__(self, channels: tuple[int, ...], config: Config):
        super().__init__()
        skips = channels[-2::-1]
        stages = range(FIRST_DECODER_STAGE, FIRST_DECODER_STAGE + len(skips))
        if not set(config.dsa_stages) <= set(stages):
            raise InputError(
                f"model.config.dsa_stages is {list(config.dsa_stages)}",
                remedy=f"with backbone '{config.backbone}' the decoder has the stages {stages[0]} to {stages[-1]}",
            )
        gated = [config.gate] * len(skips) + [config.gate and config.gate_on_bottleneck]
        self.gates = nn.ModuleList(
            GateUnit(width, kind=config.gate_kind) if gate else nn.Identity()
            for width, gate in zip(channels, gated, strict=True)
        )
        self.stages = nn.ModuleList()
        width = channels[-1]
        for stage, skip in zip(stages, skips, strict=True):
            attention = None
            if stage in config.dsa_stages:
                attention = DeformableSpatialAttention(2 * skip, modulated=config.dcn_modulated)
            self.stages.append(DecoderStage(width, skip, last=stage == stages[-1], attention=attention))
            width = 2 * skip
        self.channels = tuple(2 * skip for skip in skips)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        *skips, decoded = [gate(feature) for gate, feature in zip(self.gates, features, strict=True)]
        outputs = []
        for stage, skip in zip(self.stages, reversed(skips), strict=True):
            decoded = stage(decoded, skip)
            outputs.append(decoded)
        return outputs

    def attention_maps(self, features: list[Tensor]) -> dict[str, Tensor]:
        """The maps of the gates, of encoder stages 1, 2, …, and of the attentions, of the decoder's stages."""
        found: dict[str, Tensor] = {}
        for number, (gate, feature) in enumerate(zip(self.gates, features, strict=True), start=1):
            if isinstance(gate, GateUnit):
                found |= _mean_and_max(f"gate_stage_{number}", gate.maps(feature))
        *skips, decoded = [gate(feature) for gate, feature in zip(self.gates, features, strict=True)]
        for number, (stage, skip) in enumerate(zip(self.stages, reversed(skips), strict=True), FIRST_DECODER_STAGE):
            assert isinstance(stage, DecoderStage)
            merged = stage.merged(decoded, skip)
            if isinstance(stage.attention, DeformableSpatialAttention):
                found |= _mean_and_max(f"deformable_attention_stage_{number}", stage.attention.maps(merged))
            decoded = stage.attended(merged)
        return found


class ClassHead(nn.Module):
    """Maps `B C h w` of several scales to class logits `B N`.

    Each is weighed at its own size, as in the released code, and joined to the others at the size of the first.
    """

    def __init__(self, channels: tuple[int, ...], config: Config, *, class_count: int):
        super().__init__()
        self.attention = nn.ModuleList(
            ChannelAttention(width, kind=config.ca_kind) if config.ca else nn.Identity() for width in channels
        )
        width = sum(channels)
        self.layers = nn.Sequential(nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, class_count))

    def forward(self, scales: list[Tensor]) -> Tensor:
        fused = [
            resize_aligned(attention(scale), scales[0])
            for attention, scale in zip(self.attention, scales, strict=True)
        ]
        return self.layers(torch.cat(fused, dim=1).mean(dim=(-2, -1)))


class AcsNet(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        self.encoder = _encoder(config, in_channels=in_channels, weights=encoder_weights)
        channels = self.encoder.channels
        scales = channels[-1:]
        self.decoder = self.mask_head = self.class_head = None
        if config.segmentation:
            self.decoder = Decoder(channels, config)
            width = self.decoder.channels[-1]
            self.mask_head = nn.Sequential(*_conv_norm_relu(width), nn.Conv2d(width, 1, 1))
            if config.multi_scale:
                scales = (*channels[-2:], self.decoder.channels[0])
        self.multi_scale = config.multi_scale
        if config.classification:
            self.class_head = ClassHead(scales, config, class_count=class_count)
        if config.keep_unused_fc:
            self.unused_fc = nn.Linear(channels[-1], IMAGENET_CLASSES).requires_grad_(False)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = self.encoder(image)
        decoded = [] if self.decoder is None else self.decoder(features)
        mask_logits = class_logits = None
        if self.mask_head is not None:
            mask_logits = self.mask_head(resize_aligned(decoded[-1], image))
        if self.class_head is not None:
            scales = [*features[-2:], decoded[0]] if self.multi_scale else features[-1:]
            class_logits = self.class_head(scales)
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=class_logits)

    def attention_maps(self, image: Tensor) -> dict[str, Tensor]:
        """Two maps `B h w` of each gate and of each deformable spatial attention, coarse ones on coarse grids."""
        return {} if self.decoder is None else self.decoder.attention_maps(self.encoder(image))


def resize_aligned(maps: Tensor, like: Tensor) -> Tensor:
    """Bilinear resize of `B C h w` to the size of `like`, corner pixels on corner pixels as in the released code."""
    size = like.shape[-2:]
    return maps if maps.shape[-2:] == size else F.interpolate(maps, size=size, mode="bilinear", align_corners=True)


def group_norm(channels: int, group: int) -> nn.GroupNorm:
    """A group norm of about `group` channels per group, never of a single one unless `channels` is 1."""
    return nn.GroupNorm(math.gcd(channels, max(1, channels // group)), channels)


def _encoder(config: Config, *, in_channels: int, weights: str | None) -> Encoder | UNetEncoder:
    if config.backbone != "unet":
        return build_encoder(
            config.backbone, in_channels=in_channels, weights=weights, options=config.backbone_options
        )
    if weights is not None:
        raise InputError("there are no weights of the backbone 'unet'", remedy="set model.encoder_weights to null")
    return UNetEncoder(in_channels, UNET_WIDTHS, style=ConvStyle(norm="group"))


def _mean_and_max(name: str, maps: Tensor) -> dict[str, Tensor]:
    """The two maps of `B 2 h w` under names that say which pooling each goes with."""
    mean, maximum = maps.unbind(dim=1)
    return {f"{name}_mean": mean, f"{name}_max": maximum}


def _conv_norm_relu(width: int) -> list[nn.Module]:
    return [nn.Conv2d(width, width, 3, padding=1), group_norm(width, STAGE_GROUP), nn.ReLU()]


def _deformable(in_channels: int, out_channels: int, *, modulated: bool) -> nn.Sequential:
    return nn.Sequential(
        DeformableConv(in_channels, out_channels, modulated=modulated), group_norm(out_channels, 4), nn.ReLU()
    )


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> AcsNet:
    return AcsNet(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="acsnet",
    title="ACSNet",
    citation="He, Yang, Su, Wang: Multi-task learning for segmentation and classification of breast tumors from "
    "ultrasound images. Computers in Biology and Medicine 2024",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(backbone="mobilenetv2_035", dsa_stages=(7,)),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=mask_meaning,
    deviations=(
        "The layout is that of the released code (31.8 million parameters, 23.7 GMAC); the printed 42.99 million and "
        "30.96 G are not reached by any layout that the paper or the code describe.",
        "The paper has four down-samplings and group norm throughout; here as released the ResNet has five and keeps "
        "its batch norm, and group norm stands in the new layers only (acsnet/paper has the plain U-Net's encoder).",
        "The paper gates every skip with one convolution; the released code, followed here, also gates the coarsest "
        "map and has a hidden layer before (acsnet/paper).",
        "Deformable attention stands in stages 6 and 7 with modulated convolutions as released; the paper names no "
        "stage and describes offsets only (acsnet/plain-deformable).",
        "Channel attention is the released one from mean and maximum; the paper cites squeeze and excitation "
        "(acsnet/se).",
        "Offset and mask convolutions of the deformable convolutions start at zero.",
        "The head on a single scale, from C over C/2 features to the classes, is not described.",
        "Maps of sizes that the strides do not divide are resized to their skips; the paper uses 256 x 256 only.",
    ),
    without_gradient=lambda config: ("unused_fc.",) if config.keep_unused_fc else (),
)
