"""Separate lesions of a mask, each cropped to its own box, in any number of dimensions."""

from __future__ import annotations

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
