"""A network for patches, run over a whole volume."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.core.progress import progress

OVERLAP = 0.25
"""The least part of a patch's edge that the next one shares."""

SIGMA = 0.125
"""Width, in patch edges, of the Gaussian that weights voxels: a patch's border lacks context and counts little."""

LEAST_WEIGHT = 1e-3


class Window(NamedTuple):
    """A patch `[start, start + size)` of a volume, in voxels; parts of it may lie outside."""

    start: tuple[int, ...]
    size: tuple[int, ...]


def cut(volume: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """The window of `… d h w`, the volume's least value outside of it."""
    result = np.full((*volume.shape[:-3], *window.size), volume.min(), volume.dtype)
    inner, outer = overlap_of(window, volume.shape[-3:])
    result[(..., *inner)] = volume[(..., *outer)]
    return result


def overlap_of(window: Window, shape: Sequence[int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where window and volume meet: slices of the window, and the same place as slices of the volume."""
    inner, outer = [], []
    for begin, length, available in zip(window.start, window.size, shape, strict=True):
        low, high = max(begin, 0), max(min(begin + length, available), max(begin, 0))
        inner.append(slice(low - begin, high - begin))
        outer.append(slice(low, high))
    return tuple(inner), tuple(outer)


def windows(shape: Sequence[int], *, size: tuple[int, ...]) -> list[Window]:
    """The fewest evenly spaced windows that cover a volume; one in the middle along an axis shorter than it."""
    starts = []
    for length, edge in zip(shape, size, strict=True):
        if length <= edge:
            starts.append([(length - edge) // 2])
            continue
        count = math.ceil((length - edge) / (edge * (1 - OVERLAP))) + 1
        starts.append(sorted({round(place) for place in np.linspace(0, length - edge, count)}))
    return [Window(tuple(start), size) for start in itertools.product(*starts)]


def gaussian(size: Sequence[int]) -> NDArray[np.float32]:
    """The weights of a patch's voxels `d h w`, 1 in the middle."""
    axes = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (SIGMA * n)) ** 2) for n in size]
    weights = axes[0][:, None, None] * axes[1][:, None] * axes[2]
    return np.maximum(weights, LEAST_WEIGHT).astype(np.float32)


def blended(
    volume: NDArray[np.uint8], *, size: tuple[int, ...], run: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """What `run` says of patches `C *size`, `K *size` in all, as the weighted mean `K d h w` over a volume `C d h w`.

    Memory is that of the result, one map of weights and one patch.
    """
    shape = volume.shape[1:]
    weight = gaussian(size)
    total: NDArray[np.float32] | None = None
    mass = np.zeros(shape, np.float32)
    for window in progress(windows(shape, size=size), description="look through", unit="patch", passing=True):
        said = run(cut(volume, window))
        if total is None:
            total = np.zeros((len(said), *shape), np.float32)
        inner, outer = overlap_of(window, shape)
        total[(slice(None), *outer)] += (said * weight)[(slice(None), *inner)]
        mass[outer] += weight[inner]
    assert total is not None
    total /= mass
    return total
