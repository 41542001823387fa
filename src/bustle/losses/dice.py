"""Soft Dice loss of the lesion map."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bustle.core.errors import InputError
from bustle.core.types import Batch, MaskMeaning, MultiTaskOutput
from bustle.losses.case_mean import mean_over
from bustle.losses.lesion_map import lesion_probability
from bustle.losses.outputs import mask_logits_of


@dataclass(frozen=True, kw_only=True)
class Options:
    """`smooth` is added to numerator and denominator; above zero it makes an empty, rightly predicted mask free."""

    smooth: float = 1.0

    def __post_init__(self) -> None:
        if self.smooth <= 0:
            raise ValueError("smooth must be positive")


class Dice:
    """1 - (2 Σ p y + smooth) / (Σ p + Σ y + smooth) per case, mean over cases with a mask (Milletari et al. 2016)."""

    options_type = Options

    def __init__(self, options: Options, *, mask_meaning: MaskMeaning | None):
        if mask_meaning is None:
            raise InputError("the loss dice needs a network with a mask", remedy="leave the loss out")
        self.smooth = options.smooth
        self.mask_meaning = mask_meaning

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        probability = lesion_probability(mask_logits_of(output, "dice"), self.mask_meaning).flatten(1)
        truth = (batch.lesion_mask > 0).flatten(1).to(probability.dtype)
        overlap = 2 * (probability * truth).sum(dim=1) + self.smooth
        return mean_over(1 - overlap / (probability.sum(dim=1) + truth.sum(dim=1) + self.smooth), batch.has_mask)
