"""Attention-gated classification: mid-level features pooled where additive gates, led by the last features, open.

An approximation, from secondary sources, of Schlemper et al., "Attention gated networks: Learning to leverage
salient regions in medical images", Medical Image Analysis 2019 (AG-Sononet); its numbers are not the method's. The
file covers a VGG encoder without its last pooling, the gates and both outputs: the classes, and the gates' maps as
the place of the lesion. A recipe decides whether that map is trained with masks or only by the classes.

Own choices: VGG-16 with batch norm stands for the Sononet; gates are sigmoids whose weighted mean is taken, not
the paper's normalised maps; attended vectors and the mean of the last features are concatenated for one linear
layer; the lesion's logit is the mean of the gates' logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bustle.core.errors import InputError
from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.attention_gate import GateLogits
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.encoder import build_encoder
from bustle.models.mask_meanings import one_lesion_channel


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `backbone`: any timm `features_only` encoder, with `backbone_options` for timm; its last map leads the gates.
    `gated_strides`: the strides of the maps that are gated. `gate_width`: channels inside a gate.
    """

    backbone: str = "vgg16_bn"
    backbone_options: Mapping[str, Any] = field(default_factory=lambda: {"out_indices": (0, 1, 2, 3, 4)})
    gated_strides: tuple[int, ...] = (4, 8)
    gate_width: int = 256

    def __post_init__(self) -> None:
        if not self.gated_strides or len(set(self.gated_strides)) != len(self.gated_strides):
            raise ValueError("gated_strides must name at least one stride, and each only once")
        if self.gate_width < 1:
            raise ValueError("gate_width must be at least 1")


def attended_mean(features: Tensor, gate_logits: Tensor) -> Tensor:
    """The mean `B C` of features `B C h w`, weighted with the gates of the logits `B 1 h w`."""
    gates = gate_logits.sigmoid()
    return (features * gates).sum(dim=(-2, -1)) / gates.sum(dim=(-2, -1)).clamp_min(1e-6)


class AgnLike(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        self.encoder = build_encoder(
            config.backbone, in_channels=in_channels, weights=encoder_weights, options=config.backbone_options
        )
        channels, strides = self.encoder.channels, self.encoder.reductions
        if not set(config.gated_strides) <= set(strides[:-1]):
            raise InputError(
                f"model.config.gated_strides has {list(config.gated_strides)}",
                remedy=f"this backbone can gate the strides {list(strides[:-1])}",
            )
        self.gated = [strides.index(stride) for stride in config.gated_strides]
        self.gates = nn.ModuleList(
            GateLogits(channels[index], channels[-1], inner_channels=config.gate_width) for index in self.gated
        )
        self.class_head = nn.Linear(sum(channels[index] for index in self.gated) + channels[-1], class_count)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = self.encoder(image)
        deepest = features[-1]
        maps = [features[index] for index in self.gated]
        logits = [gate(each, deepest) for gate, each in zip(self.gates, maps, strict=True)]
        vectors = [attended_mean(each, logit) for each, logit in zip(maps, logits, strict=True)]
        enlarged = [resize_to(logit, image.shape[-2:]) for logit in logits]
        return MultiTaskOutput(
            mask_logits=torch.stack(enlarged).mean(dim=0),
            class_logits=self.class_head(torch.cat([*vectors, deepest.mean(dim=(-2, -1))], dim=1)),
        )


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> AgnLike:
    return AgnLike(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="agn_like",
    title="Attention-gated network (approximation)",
    citation="Schlemper, Oktay, Schaap, Heinrich, Kainz, Glocker, Rueckert: Attention Gated Networks: Learning to "
    "Leverage Salient Regions in Medical Images. Medical Image Analysis 2019",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(backbone="test_resnet", backbone_options={"out_indices": (0, 1, 2, 3)}, gate_width=16),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=one_lesion_channel,
    deviations=(
        "An approximation from secondary sources; its numbers are not the method's.",
        "VGG-16 with batch norm and ImageNet weights, without its last pooling, stands for the Sononet.",
        "Gates are sigmoids and features their weighted mean; the paper normalises its attention maps otherwise.",
        "One linear layer sees all attended vectors and the pooled last features; the paper compares several ways to "
        "aggregate.",
        "The mean of the gates' logits is the mask; how LA-Net's authors localised with it is not described.",
    ),
)
