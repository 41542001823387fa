"""Averages over the cases that carry an annotation."""

from __future__ import annotations

from torch import Tensor


def mean_over(values: Tensor, cases: Tensor) -> Tensor:
    """The mean of `values` (B) over the flagged `cases` (bool B).

    Without any flagged case it is a zero that still belongs to the graph, so that a backward pass works.
    """
    return values.masked_fill(~cases, 0.0).sum() / cases.sum().clamp_min(1)
