"""Binary cross entropy of the lesion map."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from bustle.core.errors import InputError
from bustle.core.types import Batch, MaskMeaning, MultiTaskOutput
from bustle.losses.case_mean import mean_over
from bustle.losses.lesion_map import lesion_logit
from bustle.losses.outputs import mask_logits_of


@dataclass(frozen=True, kw_only=True)
class Options:
    """No options."""


class MaskCrossEntropy:
    """Mean over pixels of the binary cross entropy lesion / no lesion, then mean over cases with a mask."""

    options_type = Options

    def __init__(self, options: Options, *, mask_meaning: MaskMeaning | None):
        if mask_meaning is None:
            raise InputError("the loss mask_cross_entropy needs a network with a mask", remedy="leave the loss out")
        self.mask_meaning = mask_meaning

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logit = lesion_logit(mask_logits_of(output, "mask_cross_entropy"), self.mask_meaning)
        truth = (batch.lesion_mask > 0).to(logit.dtype)
        per_pixel = F.binary_cross_entropy_with_logits(logit, truth, reduction="none")
        return mean_over(per_pixel.flatten(1).mean(dim=1), batch.has_mask)
