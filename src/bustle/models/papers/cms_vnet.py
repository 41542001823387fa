"""C_MS-VNet: a V-Net whose class head reads stages of several scales.

Zhou, Chen, Li, Liu, Xu, Wang, Yap, Shen, "Multi-task learning for segmentation and classification of tumors in 3D
automated breast ultrasound images", Medical Image Analysis 2021. One class covers VNet (`stages: null`), ClsNet
(`segmentation: false`), CVNet (`stages: [5, 5]`) and C_MS(i-j)VNet. Their forms with iterative feature refinement
(C_MSVNet_Iter) are recipes with `model.refinements`, which works for every network.

Own choices where the paper is silent: the V-Net's layout (see `blocks.vnet`); 128 hidden units with a ReLU and no
dropout in the class head; sizes that 16 does not divide are padded with zeros.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.explanation import STAGE
from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.models.blocks.padding import crop_to
from bustle.models.blocks.vnet import DEEPEST, LAST, VNet, VNetConfig

EPSILON = 1e-12
"""The least length by which features are divided: zero features stay zero."""


@dataclass(frozen=True, kw_only=True)
class Config(VNetConfig):
    """The network's switches, beside those of the V-Net.

    `stages`: the first and the last of the V-Net's stages (1 to 9) that the class head reads, or None for a network
    without classes. `segmentation` False leaves the way up out; the head then reads stages up to 5. `hidden`: width
    of the class head; `dropout` before its last layer. `scale`: None takes each stage's features with length 1, as
    printed; a number is the length that training starts from and then learns, one per stage (ParseNet).
    """

    stages: tuple[int, int] | None = (4, 6)
    segmentation: bool = True
    hidden: int = 128
    dropout: float = 0.0
    scale: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stages is not None and not 1 <= self.stages[0] <= self.stages[1] <= LAST:
            raise ValueError(f"stages must be the first and the last of some of the stages 1 to {LAST}")
        if not self.segmentation and (self.stages is None or self.stages[1] != DEEPEST):
            raise ValueError(f"without segmentation, stages must end with {DEEPEST}, the deepest")
        if self.hidden < 1:
            raise ValueError("hidden must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")
        if self.scale is not None and self.scale <= 0:
            raise ValueError("scale must be positive, or null")


def mask_meaning(config: Config) -> MaskMeaning | None:
    """Softmax over background and lesion."""
    if not config.segmentation:
        return None
    return MaskMeaning(channels=("background", "lesion"), activation="softmax", lesion_channels=(1,))


def unit_features(stage: Tensor) -> Tensor:
    """The channels' means of a stage `B C D H W` as a vector `B C` of length 1 (eq. 1); zeros stay zero."""
    exact = torch.promote_types(stage.dtype, torch.float32)  # too long a sum for half precision
    return F.normalize(stage.mean(dim=(-3, -2, -1), dtype=exact), dim=1, eps=EPSILON)


class MultiScaleHead(nn.Module):
    """Maps the V-Net's stages to class logits `B N`: unit features of each, concatenated, two linear layers."""

    def __init__(self, config: Config, stages: tuple[int, int], *, class_count: int):
        super().__init__()
        first, last = stages
        self.chosen = slice(first - 1, last)
        length = sum(config.channels(stage) for stage in range(first, last + 1))
        self.scales = None if config.scale is None else nn.Parameter(torch.full((last + 1 - first,), config.scale))
        self.layers = nn.Sequential(
            nn.Linear(length, config.hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, class_count),
        )

    def features(self, stages: list[Tensor]) -> Tensor:
        """The concatenated features `B C_i + … + C_j`."""
        units = [unit_features(stage) for stage in stages[self.chosen]]
        if self.scales is not None:
            units = [scale * unit for scale, unit in zip(self.scales.unbind(), units, strict=True)]
        return torch.cat(units, dim=1)

    def forward(self, stages: list[Tensor]) -> Tensor:
        return self.layers(self.features(stages))


class CmsVnet(nn.Module):
    """Maps volumes `B C D H W`, from 32 voxels per side, to mask logits `B 2 D H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int):
        super().__init__()
        self.vnet = VNet(in_channels, mask_channels=2 if config.segmentation else 0, config=config)
        self.class_head = None
        if config.stages is not None:
            self.class_head = MultiScaleHead(config, config.stages, class_count=class_count)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        stages, mask_logits = self.vnet(image)
        class_logits = None if self.class_head is None else self.class_head(stages)
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=class_logits)

    def stage_maps(self, image: Tensor) -> dict[str, Tensor]:
        """`stage_1` to `stage_9` (Fig. 3): r / (1 + r) of the root mean square r of a stage's channels at each place.

        The scale is the same for every place and volume, so that windows fit together.
        """
        maps = {}
        for number, stage in enumerate(self.vnet(image)[0], start=1):
            strength = stage.square().mean(dim=1).sqrt()
            stride = 2 ** min(number - 1, LAST - number)
            size = [math.ceil(edge / stride) for edge in image.shape[2:]]
            maps[f"{STAGE}{number}"] = crop_to(strength / (1 + strength), size)
        return maps


SPEC = ModelSpec(
    id="cms_vnet",
    title="C_MS-VNet",
    citation="Zhou, Chen, Li, Liu, Xu, Wang, Yap, Shen: Multi-task learning for segmentation and classification of "
    "tumors in 3D automated breast ultrasound images. Medical Image Analysis 2021",
    dims=3,
    task="joint",
    config_type=Config,
    tiny=Config(width=2, hidden=16),
    build=CmsVnet,
    mask_meaning=mask_meaning,
    deviations=(
        "Widths, numbers of convolutions and the additions within stages are those of the original V-Net: the paper "
        "shows them in a figure only.",
        "The class head's hidden width, 128, is not stated.",
        "Sizes that 16 does not divide are padded with zeros, which the class head sees; the paper uses "
        "128 x 64 x 128 only.",
    ),
)
