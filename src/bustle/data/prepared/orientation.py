"""The order and sense of a volume's axes in its file, and in the one convention in which networks see volumes.

The convention is that of scanners' own stacks: slices towards the head (superior), depth towards the back
(posterior), lateral towards the patient's left, `D H W` (ITK's identity). A volume that a program has stored with
other axes, such as RAS, shows the same tissue the other way round; a network has learned from one way only.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Geometry

Value = TypeVar("Value")
Voxel = TypeVar("Voxel", np.uint8, np.bool_, np.float32)

_SAME = 1e-6
"""Two orders that fit a volume in between equally well: the one that changes less is taken."""


@dataclass(frozen=True)
class Orientation:
    """`axes[k]` is the stored axis (of `D H W`) along axis `k` of the convention, backwards if `flipped[k]`.

    Oblique volumes take the nearest axes: nothing is interpolated.
    """

    axes: tuple[int, ...] = (0, 1, 2)
    flipped: tuple[bool, ...] = (False, False, False)

    @classmethod
    def of(cls, geometry: Geometry) -> Orientation:
        """How a volume is stored; one without a direction is stored as the convention has it."""
        if geometry.direction is None:
            return cls()
        # Rows are world axes x, y, z, columns stored axes in ITK's order: both are reversed to D H W.
        along = np.reshape(geometry.direction, (3, 3))[::-1, ::-1]
        best, axes = -1.0, (0, 1, 2)
        for order in itertools.permutations(range(3)):
            fit = float(np.abs(along[range(3), order]).sum())
            if fit > best + _SAME:
                best, axes = fit, order
        return cls(axes, tuple(bool(along[k, axis] < 0) for k, axis in enumerate(axes)))

    def geometry(self, stored: Geometry) -> Geometry:
        """The same volume with its axes as the convention has them."""
        if stored.origin is None or stored.direction is None or stored.spacing is None:
            spacing = None if stored.spacing is None else self.reordered(stored.spacing)
            return replace(stored, original_size=self.reordered(stored.original_size), spacing=spacing)
        columns = np.reshape(stored.direction, (3, 3))[:, ::-1]
        first = np.array(stored.origin)
        for axis, flipped in zip(self.axes, self.flipped, strict=True):
            if flipped:
                first = first + columns[:, axis] * stored.spacing[axis] * (stored.original_size[axis] - 1)
        signs = np.where(self.flipped, -1.0, 1.0)
        direction = (columns[:, list(self.axes)] * signs)[:, ::-1]
        return Geometry(
            self.reordered(stored.original_size),
            spacing=self.reordered(stored.spacing),
            origin=tuple(map(float, first)),
            direction=tuple(map(float, direction.ravel())),
        )

    def reordered(self, values: Sequence[Value]) -> tuple[Value, ...]:
        """One value per stored axis, in the order of the convention."""
        return tuple(values[axis] for axis in self.axes)

    def from_stored(self, voxels: NDArray[Voxel]) -> NDArray[Voxel]:
        """`D H W` as stored, as a view in the convention."""
        backwards = tuple(axis for axis, flipped in enumerate(self.flipped) if flipped)
        return np.flip(voxels.transpose(self.axes), backwards)

    def to_stored(self, voxels: NDArray[Voxel]) -> NDArray[Voxel]:
        """The inverse of `from_stored`."""
        backwards = tuple(axis for axis, flipped in enumerate(self.flipped) if flipped)
        return np.flip(voxels, backwards).transpose(np.argsort(self.axes))

    def place_from_stored(self, place: Sequence[float], *, size: Sequence[int]) -> tuple[float, ...]:
        """A place in voxels of the stored grid of `size`, in those of the convention."""
        parts = zip(self.reordered(place), self.reordered(size), self.flipped, strict=True)
        return tuple(count - 1 - at if flipped else at for at, count, flipped in parts)

    def place_to_stored(self, place: Sequence[float], *, size: Sequence[int]) -> tuple[float, ...]:
        """The inverse of `place_from_stored`; `size` is still that of the stored grid."""
        back = [0.0, 0.0, 0.0]
        for at, axis, flipped in zip(place, self.axes, self.flipped, strict=True):
            back[axis] = size[axis] - 1 - at if flipped else at
        return tuple(back)
