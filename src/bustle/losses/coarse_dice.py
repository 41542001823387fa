"""Soft Dice loss over the classes of a coarse map of the breast: gland, lesion and the rest (CTG-Net, eq. 8)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bustle.core.errors import InputError
from bustle.core.network import MultiTaskOutput
from bustle.core.types import Batch
from bustle.losses.case_mean import mean_over
from bustle.losses.dice import dice_mass
from bustle.losses.lesion_truth import lesion_truth
from bustle.losses.outputs import map_logits_of
from bustle.losses.precision import at_least_float32
from bustle.losses.setting import LossSetting

PARTITIONS = (("gland", "lesion", "background"), ("lesion", "background"))


@dataclass(frozen=True, kw_only=True)
class Options:
    """`smooth` is added to numerator and denominator; `squared` as in `Dice`; `map` is the coarse one."""

    smooth: float = 1.0
    squared: bool = False
    map: str = "coarse"

    def __post_init__(self) -> None:
        if self.smooth <= 0:
            raise ValueError("smooth must be positive")


class CoarseDice:
    """1 - (2 Σ p y + smooth) / (Σ p + Σ y + smooth), mean over channels, then over cases with a mask.

    The truth is a partition: lesion, gland without the lesion, background the rest. Where the map has a gland channel
    and a case no gland mask, only the lesion channel of that case counts. A map without one needs no gland mask.
    """

    options_type = Options
    task = "seg"

    def __init__(self, options: Options, *, setting: LossSetting):
        meaning = setting.meaning_of(options.map, loss="coarse_dice")
        if meaning.channels not in PARTITIONS or meaning.activation != "softmax":
            raise InputError(
                f"coarse_dice cannot use the channels ({', '.join(meaning.channels)})",
                remedy="it needs a softmax over lesion and background, with or without gland before them",
            )
        self.options = options
        self.channels = meaning.channels

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logits = map_logits_of(output, self.options.map, loss="coarse_dice")
        probability = at_least_float32(logits).softmax(dim=1).flatten(2)
        truth = self._truth(batch, size=logits.shape[2:]).flatten(2)
        smooth = self.options.smooth
        overlap, mass = 2 * (probability * truth).sum(dim=2), dice_mass(probability, truth, self.options.squared)
        losses = 1 - (overlap + smooth) / (mass + smooth)
        values = losses.mean(dim=1)
        if "gland" in self.channels:
            values = torch.where(batch.has_gland, values, losses[:, self.channels.index("lesion")])
        return mean_over(values, batch.has_mask, batch.mask_weight)

    def _truth(self, batch: Batch, *, size: torch.Size) -> Tensor:
        """One channel per class, float32 `B K *size`, each pixel 1 in exactly one of them."""
        lesion = lesion_truth(batch, size=size)
        if "gland" not in self.channels:
            return torch.stack([lesion, 1 - lesion], dim=1)
        gland = batch.gland_mask.float()
        if gland.shape[1:] != size:
            gland = F.interpolate(gland.unsqueeze(1), size=tuple(size), mode="nearest-exact").squeeze(1)
        gland = gland * (1 - lesion)
        return torch.stack([gland, lesion, 1 - gland - lesion], dim=1)
