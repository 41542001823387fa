"""Cross entropy of the case's class (RMTL-Net, eq. 9, with the predicted probability instead of the decision)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from bustle.core.types import Batch, MaskMeaning, MultiTaskOutput
from bustle.losses.case_mean import mean_over
from bustle.losses.outputs import class_logits_of


@dataclass(frozen=True, kw_only=True)
class Options:
    """No options."""


class ClassCrossEntropy:
    """Softmax cross entropy over the classes, mean over cases with a label."""

    options_type = Options

    def __init__(self, options: Options, *, mask_meaning: MaskMeaning | None):
        pass

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logits = class_logits_of(output, "class_cross_entropy").float()
        per_case = F.cross_entropy(logits, batch.label.clamp_min(0), reduction="none")
        return mean_over(per_case, batch.has_label)
