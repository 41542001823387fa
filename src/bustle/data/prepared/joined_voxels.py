"""A coarser copy of a volume, in which blocks of voxels are joined to one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray


def steps_to(most: int, *, shape: tuple[int, ...], spacing: NDArray[np.float64]) -> list[int]:
    """How many voxels become one along each axis, so that at most so many are left and these are near to cubes."""
    steps = [1] * len(shape)
    while math.prod(_shrunk(shape, steps)) > most:
        sizes = [
            step * size if step < length else np.inf for step, size, length in zip(steps, spacing, shape, strict=True)
        ]
        steps[int(np.argmin(sizes))] += 1
    return steps


def averaged(voxels: NDArray[np.uint8], *, steps: Sequence[int]) -> NDArray[np.uint8]:
    """Voxels `D H W`, whose blocks of so many became one: their mean. What is left at the end is cut off."""
    depth, height, width = _shrunk(voxels.shape, steps)
    result = np.empty((depth, height, width), np.uint8)
    for place in range(depth):
        block = voxels[place * steps[0] : (place + 1) * steps[0], : height * steps[1], : width * steps[2]]
        flat = block.mean(axis=0, dtype=np.float32)
        result[place] = np.rint(cv2.resize(flat, (width, height), interpolation=cv2.INTER_AREA))
    return result


def _shrunk(shape: Sequence[int], steps: Sequence[int]) -> tuple[int, ...]:
    return tuple(length // step for length, step in zip(shape, steps, strict=True))
