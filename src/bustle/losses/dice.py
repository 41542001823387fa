"""Soft Dice loss of the lesion map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from bustle.core.network import MultiTaskOutput
from bustle.core.types import Batch
from bustle.losses.case_mean import mean_over
from bustle.losses.lesion_truth import lesion_truth
from bustle.losses.outputs import map_logits_of
from bustle.losses.setting import MAIN_MAP, LossSetting


@dataclass(frozen=True, kw_only=True)
class Options:
    """`smooth` is added to numerator and denominator; above zero it makes an empty, rightly predicted mask free.

    `over`: `case` takes the overlap of every case by itself; `batch` sums the pixels of all cases with a mask
    first, so that cases without a lesion do not dominate. `squared`: the denominator holds squares, as V-Net's has
    them. `channels`: the `lesion`, or the mean of it and of all that is no lesion (`all`), from which a case without
    a lesion learns too. `map` is the mask or one of the network's other maps.
    """

    smooth: float = 1.0
    over: Literal["case", "batch"] = "case"
    squared: bool = False
    channels: Literal["lesion", "all"] = "lesion"
    map: str = MAIN_MAP

    def __post_init__(self) -> None:
        if self.smooth <= 0:
            raise ValueError("smooth must be positive")


class Dice:
    """1 - (2 Σ p y + smooth) / (Σ p + Σ y + smooth), mean over cases with a mask.

    With `squared` the sums of the denominator are Σ p² + Σ y² (Milletari, Navab, Ahmadi: V-Net, 3DV 2016).
    """

    options_type = Options
    task = "seg"

    def __init__(self, options: Options, *, setting: LossSetting):
        self.options = options
        self.meaning = setting.lesion_meaning_of(options.map, loss="dice")

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logits = map_logits_of(output, self.options.map, loss="dice")
        probability = self.meaning.lesion_map(logits).flatten(1)
        truth = lesion_truth(batch, size=logits.shape[2:]).flatten(1)
        loss = self._of_channel(probability, truth, batch)
        if self.options.channels == "lesion":
            return loss
        return (loss + self._of_channel(1 - probability, 1 - truth, batch)) / 2

    def _of_channel(self, probability: Tensor, truth: Tensor, batch: Batch) -> Tensor:
        """Of one channel's probabilities and truths `B pixels`."""
        smooth = self.options.smooth
        overlap, mass = 2 * (probability * truth).sum(dim=1), dice_mass(probability, truth, self.options.squared)
        if self.options.over == "case":
            return mean_over(1 - (overlap + smooth) / (mass + smooth), batch.has_mask, batch.mask_weight)
        weight = batch.has_mask.float() if batch.mask_weight is None else batch.has_mask * batch.mask_weight
        return 1 - ((overlap * weight).sum() + smooth) / ((mass * weight).sum() + smooth)


def dice_mass(probability: Tensor, truth: Tensor, squared: bool) -> Tensor:
    """The denominator of Dice over the last axis: the sum of both, or of their squares."""
    return (probability**2 + truth**2 if squared else probability + truth).sum(dim=-1)
