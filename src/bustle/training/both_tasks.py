"""What training steps need that learn a mask from classes, or classes from a mask."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.losses.setting import LossSetting


class BothTasks(NamedTuple):
    """Mask logits `B K *S` with their meaning, and class logits `B N`."""

    mask_logits: Tensor
    meaning: MaskMeaning
    class_logits: Tensor


def both_tasks_of(output: MultiTaskOutput, setting: LossSetting, *, step: str) -> BothTasks:
    """Raises `InputError` for a network that lacks one of the tasks."""
    if output.mask_logits is None or output.class_logits is None or setting.mask_meaning is None:
        raise InputError(
            f"the step {step} needs a network with a mask and classes",
            remedy="use --set training.step=joint, or another network",
        )
    return BothTasks(output.mask_logits, setting.mask_meaning, output.class_logits)
