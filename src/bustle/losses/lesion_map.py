"""Channels of a network's maps and the lesion logit that its mask logits mean, in training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from bustle.core.network import MaskMeaning
from bustle.losses.precision import at_least_float32


def channels_of(maps: Tensor, channels: Sequence[int]) -> Tensor:
    """The chosen channels of `B K *S`. A list as index would be copied to a GPU, and waited for, at every call."""
    return maps[:, _index(tuple(channels), maps.device)]


@cache
def _index(channels: tuple[int, ...], device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # validation may ask first, and autograd takes no tensor made for inference
        return torch.tensor(channels, device=device)


def lesion_logit(mask_logits: Tensor, meaning: MaskMeaning) -> Tensor:
    """The logit of `meaning.lesion_map`, computed without leaving the logarithm, `B *S` in float32 or better."""
    logits = at_least_float32(mask_logits)
    lesion = meaning.lesion_channels
    if meaning.activation == "softmax":
        other = [channel for channel in range(logits.shape[1]) if channel not in lesion]
        return channels_of(logits, lesion).logsumexp(dim=1) - channels_of(logits, other).logsumexp(dim=1)
    if len(lesion) == 1:
        return logits[:, lesion[0]]
    return torch.logit(meaning.lesion_map(mask_logits), eps=1e-6)
