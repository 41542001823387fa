"""Separate lesions of a mask, each cropped to its own box, in any number of dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Component:
    """One lesion: bool `mask` cropped to the box whose first voxel has the index `start` on the whole grid."""

    start: tuple[int, ...]
    mask: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """In voxels."""
        return int(np.count_nonzero(self.mask))

    def centre(self) -> tuple[float, ...]:
        """The mean index of its voxels on the whole grid."""
        found = np.argwhere(self.mask).mean(axis=0) + self.start
        return tuple(float(value) for value in found)

    def holds(self, point: Sequence[float]) -> bool:
        """Whether the voxel nearest to `point` (an index on the whole grid) belongs to it."""
        index = tuple(math.floor(at + 0.5) - first for at, first in zip(point, self.start, strict=True))
        inside = all(0 <= at < edge for at, edge in zip(index, self.mask.shape, strict=True))
        return inside and bool(self.mask[index])

    def shared_with(self, other: Component) -> int:
        """How many voxels both have."""
        low = [max(pair) for pair in zip(self.start, other.start, strict=True)]
        high = [min(pair) for pair in zip(self._stop, other._stop, strict=True)]
        if any(first >= last for first, last in zip(low, high, strict=True)):
            return 0
        return int(np.count_nonzero(self._part(low, high) & other._part(low, high)))

    @property
    def _stop(self) -> tuple[int, ...]:
        return tuple(first + edge for first, edge in zip(self.start, self.mask.shape, strict=True))

    def _part(self, low: Sequence[int], high: Sequence[int]) -> NDArray[np.bool_]:
        window = (slice(a - first, b - first) for a, b, first in zip(low, high, self.start, strict=True))
        return self.mask[tuple(window)]


def components_by_number(instance_map: NDArray[np.integer]) -> dict[int, Component]:
    """The lesions of an instance map `*S` (0 = background) by their number, ascending."""
    from scipy.ndimage import find_objects

    return {
        number: Component(tuple(part.start for part in box), instance_map[box] == number)
        for number, box in enumerate(find_objects(instance_map), start=1)
        if box is not None
    }
