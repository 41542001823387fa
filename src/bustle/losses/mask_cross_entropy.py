"""Binary cross entropy of the lesion map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from bustle.core.network import MultiTaskOutput
from bustle.core.types import Batch
from bustle.losses.case_mean import mean_over
from bustle.losses.lesion_map import lesion_logit
from bustle.losses.lesion_truth import lesion_truth
from bustle.losses.outputs import map_logits_of
from bustle.losses.setting import MAIN_MAP, LossSetting


@dataclass(frozen=True, kw_only=True)
class Options:
    """`map` is the mask or one of the network's other maps.

    `truth` of a map that is smaller than the input: hard, the `nearest` pixel's, or soft, the lesion's share of the
    `area`.
    """

    map: str = MAIN_MAP
    truth: Literal["nearest", "area"] = "nearest"


class MaskCrossEntropy:
    """Mean over pixels of -y log p - (1 - y) log(1 - p), then mean over cases with a mask."""

    options_type = Options
    task = "seg"

    def __init__(self, options: Options, *, setting: LossSetting):
        self.options = options
        self.meaning = setting.lesion_meaning_of(options.map, loss="mask_cross_entropy")

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logit = lesion_logit(map_logits_of(output, self.options.map, loss="mask_cross_entropy"), self.meaning)
        truth = lesion_truth(batch, size=logit.shape[1:], resize=self.options.truth)
        per_pixel = F.binary_cross_entropy_with_logits(logit, truth, reduction="none")
        return mean_over(per_pixel.flatten(1).mean(dim=1), batch.has_mask, batch.mask_weight)
