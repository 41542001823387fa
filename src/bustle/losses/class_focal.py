"""Focal loss of the case's class (Lin et al., ICCV 2017; with class weights C_MSVNet, eq. 2 and 3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from bustle.core.errors import InputError
from bustle.core.network import MultiTaskOutput
from bustle.core.types import Batch
from bustle.losses.case_mean import mean_over
from bustle.losses.focusing import focused
from bustle.losses.outputs import class_logits_of
from bustle.losses.precision import at_least_float32
from bustle.losses.setting import LossSetting


@dataclass(frozen=True, kw_only=True)
class Options:
    """`gamma` 0 is the weighted cross entropy; the higher, the less the cases count that are already right.

    `balance` gives the weights w of the classes: `none` = 1 each; `inverse_frequency` = (N - N_c) / ((K - 1) N) for
    N_c of the N labelled training cases in class c of K, which for two classes is C_MSVNet's share of the other
    class; or a list of weights, one per class in the recipe's order.
    """

    gamma: float = 2.0
    balance: tuple[float, ...] | Literal["none", "inverse_frequency"] = "none"

    def __post_init__(self) -> None:
        if self.gamma < 0:
            raise ValueError("gamma must not be negative")
        if not isinstance(self.balance, str) and (min(self.balance, default=0) < 0 or not any(self.balance)):
            raise ValueError("balance needs weights that are not negative and not all 0")


class ClassFocal:
    """-w_c (1 - p_c)^gamma log p_c for the softmax probability p_c of the true class c, mean over labelled cases.

    The mean divides by the number of cases, not by their weights.
    """

    options_type = Options
    task = "cls"

    def __init__(self, options: Options, *, setting: LossSetting):
        self.gamma = options.gamma
        self.weights = class_weights(options.balance, setting=setting)

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logits = at_least_float32(class_logits_of(output, loss="class_focal"))
        label = batch.label.clamp_min(0)
        per_case = focused(F.cross_entropy(logits, label, reduction="none"), gamma=self.gamma)
        weight = None if self.weights is None else _on(self.weights, logits.device)[label]
        return mean_over(per_case, batch.has_label, weight)


def class_weights(
    balance: tuple[float, ...] | Literal["none", "inverse_frequency"], *, setting: LossSetting
) -> tuple[float, ...] | None:
    """One weight per class, None for 1 each; where no training part is known, its classes count as equally common.

    Raises `InputError` for a list of another length, and where a frequency is needed of a class without cases: with
    two classes, it would give all the others the weight 0.
    """
    classes = setting.classes
    if balance == "none":
        return None
    if not isinstance(balance, str):
        if len(balance) != len(classes):
            raise InputError(
                f"the loss class_focal has {len(balance)} weights in balance", remedy=f"it needs {len(classes)}"
            )
        return balance
    counts = setting.class_counts or (1,) * len(classes)
    lacking = [name for name, count in zip(classes, counts, strict=True) if count == 0]
    if lacking:
        raise InputError(
            f"the loss class_focal cannot balance a class without training cases ({', '.join(lacking)})",
            remedy="leave the class out of data.classes, or set balance: none",
        )
    total, others = sum(counts), max(1, len(counts) - 1)
    return tuple((total - count) / (others * total) for count in counts)


@cache
def _on(weights: tuple[float, ...], device: torch.device) -> Tensor:
    """The weights on the device, copied once; validation may ask first, and autograd takes no inference tensor."""
    with torch.inference_mode(False):
        return torch.tensor(weights, device=device)
