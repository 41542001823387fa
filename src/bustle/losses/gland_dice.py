"""Soft Dice loss of the gland map."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from bustle.core.errors import InputError
from bustle.core.network import MultiTaskOutput
from bustle.core.types import Batch
from bustle.losses.case_mean import mean_over
from bustle.losses.lesion_map import channels_of
from bustle.losses.outputs import map_logits_of
from bustle.losses.setting import LossSetting

GLAND = "gland"


@dataclass(frozen=True, kw_only=True)
class Options:
    """`map` is one of the network's maps with a channel `gland`; `smooth` is added to numerator and denominator."""

    map: str = GLAND
    smooth: float = 1.0

    def __post_init__(self) -> None:
        if self.smooth <= 0:
            raise ValueError("smooth must be positive")


class GlandDice:
    """1 - (2 Σ p y + smooth) / (Σ p + Σ y + smooth) of the gland, mean over cases with a gland mask."""

    options_type = Options
    task = "seg"

    def __init__(self, options: Options, *, setting: LossSetting):
        self.options = options
        self.meaning = setting.meaning_of(options.map, loss="gland_dice")
        if GLAND not in self.meaning.channels:
            raise InputError(
                f"the map '{options.map}' has no channel {GLAND}",
                remedy="name a map of the gland, or leave gland_dice out",
            )

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logits = map_logits_of(output, self.options.map, loss="gland_dice")
        maps = self.meaning.channel_probabilities(logits)
        probability = channels_of(maps, [self.meaning.channels.index(GLAND)]).flatten(1)
        truth = batch.gland_mask.float()
        if truth.shape[1:] != logits.shape[2:]:
            truth = F.interpolate(truth.unsqueeze(1), size=tuple(logits.shape[2:]), mode="nearest-exact").squeeze(1)
        truth = truth.flatten(1)
        overlap, mass = 2 * (probability * truth).sum(dim=1), (probability + truth).sum(dim=1)
        smooth = self.options.smooth
        return mean_over(1 - (overlap + smooth) / (mass + smooth), batch.has_gland)
