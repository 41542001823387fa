"""Pixel-wise focal loss of the lesion map (Lin et al., ICCV 2017, eq. 5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bustle.core.network import MultiTaskOutput
from bustle.core.types import Batch
from bustle.losses.case_mean import mean_over
from bustle.losses.focusing import focused
from bustle.losses.lesion_map import lesion_logit
from bustle.losses.lesion_truth import lesion_truth
from bustle.losses.outputs import map_logits_of
from bustle.losses.setting import MAIN_MAP, LossSetting


@dataclass(frozen=True, kw_only=True)
class Options:
    """`gamma` 0 is cross entropy; the higher, the less the pixels count that are already right.

    `alpha` is the weight of lesion pixels, 1 - alpha that of the others; null = 1 each. `map` is the mask or one of
    the network's other maps.
    """

    gamma: float = 2.0
    alpha: float | None = 0.25
    map: str = MAIN_MAP

    def __post_init__(self) -> None:
        if self.gamma < 0:
            raise ValueError("gamma must not be negative")
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            raise ValueError("alpha must be within 0..1, or null")


class MaskFocal:
    """-a (1 - p)^gamma log p for the probability p of what a pixel is (lesion or not), a being alpha or 1 - alpha.

    Mean over pixels, then mean over cases with a mask.
    """

    options_type = Options
    task = "seg"

    def __init__(self, options: Options, *, setting: LossSetting):
        self.options = options
        self.meaning = setting.lesion_meaning_of(options.map, loss="mask_focal")

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logit = lesion_logit(map_logits_of(output, self.options.map, loss="mask_focal"), self.meaning)
        truth = lesion_truth(batch, size=logit.shape[1:])
        cross_entropy = F.binary_cross_entropy_with_logits(logit, truth, reduction="none")
        per_pixel = focused(cross_entropy, gamma=self.options.gamma)
        if (alpha := self.options.alpha) is not None:
            per_pixel = torch.where(truth > 0, alpha, 1 - alpha) * per_pixel
        return mean_over(per_pixel.flatten(1).mean(dim=1), batch.has_mask, batch.mask_weight)
