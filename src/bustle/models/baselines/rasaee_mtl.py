"""The multi-task ResNet of Rasaee and Rivaz: a class head and a small up-sampling mask head on the last features.

Rasaee, Rivaz, "Explainable AI and susceptibility to adversarial attacks: a case study in classification of breast
ultrasound images", IEEE IUS 2021, in the form that the paper of LA-Net (Medical Image Analysis 2023) compares with
as RMTL; the layout of the mask head is a fact from the code of its authors. Not to be mistaken for RMTL-Net.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.encoder import build_encoder
from bustle.models.blocks.mean_pooled_head import MeanPooledLinear
from bustle.models.mask_meanings import one_lesion_channel


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `backbone`: any timm `features_only` encoder, with `backbone_options` for timm. `mask_channels`: widths of the
    mask head's maps before the mask itself; `mask_sizes`: the edge in pixels to which each of them is brought.
    """

    backbone: str = "resnet18"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    mask_channels: tuple[int, ...] = (256, 64)
    mask_sizes: tuple[int, ...] = (16, 112)

    def __post_init__(self) -> None:
        if len(self.mask_channels) != len(self.mask_sizes):
            raise ValueError("mask_channels and mask_sizes must be equally many")
        if any(value < 1 for value in (*self.mask_channels, *self.mask_sizes)):
            raise ValueError("mask_channels and mask_sizes must be at least 1")


class UpStep(nn.Module):
    """3x3 convolution, ReLU6, bilinear resize with aligned corners, batch norm: `B in h w` to `B out *size`."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, features: Tensor, size: Sequence[int]) -> Tensor:
        active = F.relu6(self.conv(features))
        return self.norm(F.interpolate(active, size=tuple(size), mode="bilinear", align_corners=True))


class RasaeeMtl(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        self.encoder = build_encoder(
            config.backbone, in_channels=in_channels, weights=encoder_weights, options=config.backbone_options
        )
        width = self.encoder.channels[-1]
        widths = (width, *config.mask_channels, 1)
        self.mask_head = nn.ModuleList(UpStep(i, o) for i, o in pairwise(widths))
        self.mask_sizes = config.mask_sizes
        self.class_head = MeanPooledLinear(width, class_count)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        deepest = self.encoder(image)[-1]
        sizes = [*((edge, edge) for edge in self.mask_sizes), image.shape[-2:]]
        mask = deepest
        for step, size in zip(self.mask_head, sizes, strict=True):
            mask = step(mask, size)
        return MultiTaskOutput(mask_logits=mask, class_logits=self.class_head(deepest))


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> RasaeeMtl:
    return RasaeeMtl(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="rasaee_mtl",
    title="RMTL of Rasaee and Rivaz",
    citation="Rasaee, Rivaz: Explainable AI and Susceptibility to Adversarial Attacks: a Case Study in "
    "Classification of Breast Ultrasound Images. IEEE IUS 2021",
    dims=2,
    task="joint",
    config_type=Config,
    # Strides 2, 4 and 8: the deepest map of a 64 px image is 8 x 8, as that of 256 px at full size.
    tiny=Config(
        backbone="test_resnet",
        backbone_options={"out_indices": (0, 1, 2)},
        mask_channels=(32, 16),
        mask_sizes=(16, 32),
    ),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=one_lesion_channel,
    deviations=(
        "This is the network as the authors of LA-Net built it for their comparison; the first paper's may differ.",
        "The mask head goes through maps of fixed size, 16 and 112 pixels, whatever the input's size and shape.",
        "No activation follows the last batch norm but the sigmoid; what enters it is the output of a ReLU6.",
    ),
)
