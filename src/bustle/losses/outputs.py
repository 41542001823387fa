"""What losses need of a network's output."""

from __future__ import annotations

from torch import Tensor

from bustle.core.errors import InputError
from bustle.core.types import MultiTaskOutput


def mask_logits_of(output: MultiTaskOutput, loss: str) -> Tensor:
    """The mask logits; raises `InputError` for a network without a mask."""
    if output.mask_logits is None:
        raise InputError(
            f"the loss {loss} needs a mask, which the network does not give", remedy="leave the loss out"
        )
    return output.mask_logits


def class_logits_of(output: MultiTaskOutput, loss: str) -> Tensor:
    """The class logits; raises `InputError` for a network without classes."""
    if output.class_logits is None:
        raise InputError(f"the loss {loss} needs classes, which the network does not give", remedy="leave it out")
    return output.class_logits
