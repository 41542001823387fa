"""What losses need of a network's output."""

from __future__ import annotations

from torch import Tensor

from bustle.core.errors import InputError
from bustle.core.network import MultiTaskOutput
from bustle.losses.setting import MAIN_MAP


def map_logits_of(output: MultiTaskOutput, map_name: str, *, loss: str) -> Tensor:
    """Logits `B K *s` of the mask or of an auxiliary map; raises `InputError` for a network without it."""
    logits = output.mask_logits if map_name == MAIN_MAP else output.aux_masks.get(map_name)
    if logits is None:
        raise InputError(
            f"the loss {loss} needs the map '{map_name}', which the network does not give", remedy="leave it out"
        )
    return logits


def class_logits_of(output: MultiTaskOutput, *, loss: str) -> Tensor:
    """The class logits; raises `InputError` for a network without classes."""
    if output.class_logits is None:
        raise InputError(f"the loss {loss} needs classes, which the network does not give", remedy="leave it out")
    return output.class_logits
