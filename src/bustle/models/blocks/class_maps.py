"""Classes of an image from maps that have one channel per class (Qu et al. 2019)."""

from __future__ import annotations

import torch
from torch import Tensor


def log_class_means(map_logits: Tensor) -> Tensor:
    """The logarithm of each class's mean probability, weighted by the lesion's: `B 1+N *S` to `B N`.

    log(Σ_x l(x) p_c(x) / Σ_x l(x)) with l = Σ_c p_c; the first channel is the background. In logarithms throughout,
    so that it is finite where the network sees no lesion at all: the most suspicious pixels then decide.
    """
    log_probability = map_logits.flatten(2).log_softmax(dim=1)[:, 1:]
    log_lesion = log_probability.logsumexp(dim=1, keepdim=True)
    return (log_lesion + log_probability).logsumexp(dim=2) - log_lesion.logsumexp(dim=2)


def with_largest_lesion(map_logits: Tensor, class_means: Tensor) -> Tensor:
    """The logarithm of the largest lesion probability, then the class means, `B 1+N`, to read other classes from."""
    largest = map_logits.flatten(2).log_softmax(dim=1)[:, 1:].logsumexp(dim=1).amax(dim=1, keepdim=True)
    return torch.cat([largest, class_means], dim=1)
