"""Cross entropy of the case's class (RMTL-Net, eq. 9, with the predicted probability instead of the decision)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from bustle.core.network import MultiTaskOutput
from bustle.core.types import Batch
from bustle.losses.case_mean import mean_over
from bustle.losses.outputs import class_logits_of
from bustle.losses.precision import at_least_float32
from bustle.losses.setting import LossSetting


@dataclass(frozen=True, kw_only=True)
class Options:
    """`label_smoothing` moves that share of the probability from the true class to all classes alike."""

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError("label_smoothing must be in [0, 1)")


class ClassCrossEntropy:
    """-log p_c for the softmax probability p_c of the true class c, mean over cases with a label."""

    options_type = Options
    task = "cls"

    def __init__(self, options: Options, *, setting: LossSetting):
        self.label_smoothing = options.label_smoothing

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logits = at_least_float32(class_logits_of(output, loss="class_cross_entropy"))
        per_case = F.cross_entropy(
            logits, batch.label.clamp_min(0), reduction="none", label_smoothing=self.label_smoothing
        )
        return mean_over(per_case, batch.has_label)
