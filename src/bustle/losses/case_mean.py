"""Averages over the cases that carry an annotation."""

from __future__ import annotations

from torch import Tensor


def mean_over(values: Tensor, cases: Tensor, weights: Tensor | None = None) -> Tensor:
    """The mean of `values` (B) over the flagged `cases` (bool B), each multiplied with its weight (B) first.

    Weights do not change what the sum is divided by, the number of flagged cases. Without any flagged case it is a
    zero that still belongs to the graph, so that a backward pass works.
    """
    weighted = values if weights is None else values * weights
    return weighted.masked_fill(~cases, 0.0).sum() / cases.sum().clamp_min(1)
