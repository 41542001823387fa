"""Boundary loss of the lesion map (Kervadec et al., "Boundary loss for highly unbalanced segmentation", 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from bustle.core.errors import InputError
from bustle.core.network import MultiTaskOutput
from bustle.core.types import Batch
from bustle.losses.case_mean import mean_over
from bustle.losses.lesion_truth import lesion_truth
from bustle.losses.outputs import map_logits_of
from bustle.losses.setting import MAIN_MAP, LossSetting
from bustle.losses.signed_distance import signed_distance


@dataclass(frozen=True, kw_only=True)
class Options:
    """`map` is the mask or one of the network's other maps."""

    map: str = MAIN_MAP


class Boundary:
    """Mean over pixels of (p - y) d, then mean over cases with a mask.

    d is the distance to the true lesion's boundary as a share of the map's diagonal, negative inside: every pixel's
    error |p - y| costs its distance. The term - y d, which the authors leave out, has no gradient and makes 0 the
    smallest value. Their weights are for distances in pixels: multiply those with the diagonal.

    A mask without a boundary (no lesion) costs 0 whatever is predicted, so it takes a second loss such as Dice.
    """

    options_type = Options
    task = "seg"

    def __init__(self, options: Options, *, setting: LossSetting):
        self.map = options.map
        self.meaning = setting.lesion_meaning_of(options.map, loss="boundary")

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logits = map_logits_of(output, self.map, loss="boundary")
        if logits.ndim != 4:
            raise InputError("the loss boundary measures images, not volumes", remedy="leave it out")
        probability = self.meaning.lesion_map(logits)
        truth = lesion_truth(batch, size=probability.shape[1:])
        distance = signed_distance(truth > 0) / math.hypot(*probability.shape[1:])
        per_pixel = (probability - truth) * distance
        return mean_over(per_pixel.flatten(1).mean(dim=1), batch.has_mask, batch.mask_weight)
