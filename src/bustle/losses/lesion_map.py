"""The lesion map that a network's mask logits mean, in training."""

from __future__ import annotations

import torch
from torch import Tensor

from bustle.core.types import MaskMeaning


def lesion_probability(mask_logits: Tensor, meaning: MaskMeaning) -> Tensor:
    """Lesion probability `B *S` of mask logits `B K *S`, in float32."""
    logits = mask_logits.float()
    probability = logits.softmax(dim=1) if meaning.activation == "softmax" else logits.sigmoid()
    return probability[:, list(meaning.lesion_channels)].sum(dim=1)


def lesion_logit(mask_logits: Tensor, meaning: MaskMeaning) -> Tensor:
    """The logit of `lesion_probability`, computed without leaving the logarithm, `B *S` in float32."""
    logits = mask_logits.float()
    lesion = list(meaning.lesion_channels)
    if meaning.activation == "softmax":
        other = [channel for channel in range(logits.shape[1]) if channel not in lesion]
        return logits[:, lesion].logsumexp(dim=1) - logits[:, other].logsumexp(dim=1)
    if len(lesion) == 1:
        return logits[:, lesion[0]]
    return torch.logit(lesion_probability(mask_logits, meaning), eps=1e-6)
