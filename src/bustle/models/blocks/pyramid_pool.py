"""Spatial pyramid pooling: a vector of one length from maps of any size."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor


def pyramid_pool(maps: Tensor, grids: Sequence[int]) -> Tensor:
    """The maxima of `B C *S` in the cells of each grid, `B C cells`: grid by grid, row by row (He et al. 2014).

    A grid has as many cells along every axis; cells overlap where they do not divide it.
    """
    sizes = maps.shape[2:]
    cells = [
        maps[(..., *itertools.starmap(slice, spans))].amax(dim=tuple(range(2, maps.ndim)))
        for grid in grids
        for spans in itertools.product(*(_spans(length, grid) for length in sizes))
    ]
    return torch.stack(cells, dim=-1)


def _spans(length: int, count: int) -> list[tuple[int, int]]:
    """`count` spans over `length` pixels, each at least one; they overlap where `count` does not divide it."""
    return [(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]
