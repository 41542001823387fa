"""From a volume's own anisotropic grid to cubic voxels and back; training and inference share this one file.

The conventions are those of `image_grid`: a voxel covers the box around its centre, so that the first and last
faces of both grids coincide; along an axis that shrinks every source voxel is averaged in; masks take the nearest
voxel. The axes are separable and are resized one after the other, so that memory stays near that of the result.
The network's grid has the axes of one convention (`Orientation`), whatever those of the file are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.data_section import PatchData
from bustle.core.errors import InputError
from bustle.core.types import Geometry, VolumeMapping
from bustle.data.prepared.orientation import Orientation

Voxel = TypeVar("Voxel", np.uint8, np.bool_, np.float32)

CHUNK = 1 << 24
"""About how many voxels are in work at a time along the slowest axis."""


class MeasuredPart(NamedTuple):
    """One part of a volume's mask, in voxels of the original grid: its centre of gravity, size and bounding box.

    `box_stop` is exclusive. Where nothing is drawn, the centre is the place that was looked at, in the box's one
    voxel.
    """

    centre: tuple[float, ...]
    voxels: int
    volume_mm3: float
    box_start: tuple[int, ...]
    box_stop: tuple[int, ...]


@dataclass(frozen=True)
class VolumeGrid:
    """The network's grid `d h w` of cubic voxels for a volume `D H W`; see `Grid`."""

    geometry: Geometry
    mapping: VolumeMapping

    @classmethod
    def of(cls, geometry: Geometry, *, section: PatchData) -> VolumeGrid:
        """The whole volume on voxels of about `section.spacing_mm`: the nearest whole number of them along each axis.

        There are at least two, as in every volume. Raises `InputError` for an image and for a volume without spacing.
        """
        if geometry.dims != 3:
            raise InputError("is an image, the model takes volumes", remedy="give NRRD, NIfTI or MHA volumes")
        if geometry.spacing is None:
            raise InputError("has no voxel spacing", remedy="write it into the volume's header")
        orientation = Orientation.of(geometry)
        extent = zip(geometry.original_size, geometry.spacing, strict=True)
        size = tuple(
            max(2, round(count * step / section.spacing_mm)) for count, step in orientation.reordered([*extent])
        )
        return cls(geometry, VolumeMapping(size))

    @property
    def _orientation(self) -> Orientation:
        return Orientation.of(self.geometry)

    @property
    def _oriented(self) -> Geometry:
        """The original grid with the axes of the network's."""
        return self._orientation.geometry(self.geometry)

    @property
    def network(self) -> Geometry:
        """The cubic grid as a volume at the same place in the world.

        Its voxels differ from the section's `spacing_mm` by rounding only.
        """
        own, size = self._oriented, self.mapping.network_size
        if own.spacing is None:
            return Geometry(size)
        axes = zip(own.original_size, own.spacing, size, strict=True)
        spacing = tuple(count * step / new for count, step, new in axes)
        origin = own.origin
        if origin is not None and own.direction is not None:
            # The faces coincide, so the centres of the first voxels do not. ITK's axes come in the opposite order.
            shift = (np.array(spacing) - own.spacing)[::-1] / 2
            origin = tuple(np.array(origin) + np.reshape(own.direction, (3, 3)) @ shift)
        return Geometry(size, spacing=spacing, origin=origin, direction=own.direction)

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Intensities `C D H W` on the network's grid `C d h w`."""
        turned = (self._orientation.from_stored(channel) for channel in image)
        return np.stack([_resized(channel, self.mapping.network_size) for channel in turned])

    def mask_to_network(self, mask: NDArray[Voxel]) -> NDArray[Voxel]:
        """A mask or an instance map `D H W` on the network's grid `d h w`, nearest voxel."""
        if mask.shape != self.geometry.original_size:
            raise ValueError(f"mask {mask.shape} and volume {self.geometry.original_size} differ in size")
        return _nearest(self._orientation.from_stored(mask), self.mapping.network_size)

    def map_to_original(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map `d h w` of the network on the original grid `D H W`, interpolated linearly."""
        return self._stored(_resized(values, self._oriented.original_size))

    def parts_to_original(self, parts: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Numbered parts `d h w` on the original grid, each widened by up to a voxel of the network's grid.

        They are to be cut by a mask there, whose border lies between the network's voxels.
        """
        from scipy import ndimage  # images are predicted without it

        widened = np.where(parts > 0, parts, ndimage.grey_dilation(parts, size=3))
        return self._stored(_nearest(widened, self._oriented.original_size))

    def place_to_network(self, place: Sequence[float]) -> tuple[float, ...]:
        """A place in voxels of the original grid, in those of the network's."""
        turned = self._orientation.place_from_stored(place, size=self.geometry.original_size)
        return _scaled(turned, self._oriented.original_size, self.mapping.network_size)

    def place_to_original(self, place: Sequence[float]) -> tuple[float, ...]:
        """A place in voxels of the network's grid, in those of the original."""
        turned = _scaled(place, self.mapping.network_size, self._oriented.original_size)
        return self._orientation.place_to_stored(turned, size=self.geometry.original_size)

    def measure(self, parts: NDArray[np.uint8], *, places: Sequence[Sequence[float]]) -> tuple[MeasuredPart, ...]:
        """The numbered parts `D H W` of a mask, one for each of the `places` (voxels of the network's grid).

        The first place belongs to the voxels of number 1; where no voxel bears its number, it is itself measured.
        """
        from scipy import ndimage

        boxes = ndimage.find_objects(parts, max_label=len(places))
        voxel_mm3 = math.prod(self.geometry.step)
        measured = []
        for number, (place, box) in enumerate(zip(places, boxes, strict=True), start=1):
            if box is None:
                measured.append(self._nothing_at(place))
                continue
            inside = parts[box] == number
            voxels = int(np.count_nonzero(inside))
            middle = np.argwhere(inside).mean(axis=0)
            measured.append(
                MeasuredPart(
                    centre=tuple(float(c) + side.start for c, side in zip(middle, box, strict=True)),
                    voxels=voxels,
                    volume_mm3=voxels * voxel_mm3,
                    box_start=tuple(side.start for side in box),
                    box_stop=tuple(side.stop for side in box),
                )
            )
        return tuple(measured)

    def _nothing_at(self, place: Sequence[float]) -> MeasuredPart:
        centre = self.place_to_original(place)
        edges = zip(centre, self.geometry.original_size, strict=True)
        nearest = tuple(min(max(round(c), 0), length - 1) for c, length in edges)
        return MeasuredPart(centre, 0, 0.0, nearest, tuple(n + 1 for n in nearest))

    def _stored(self, voxels: NDArray[Voxel]) -> NDArray[Voxel]:
        return np.ascontiguousarray(self._orientation.to_stored(voxels))


def _scaled(place: Sequence[float], old: Sequence[int], new: Sequence[int]) -> tuple[float, ...]:
    """A voxel's place on another grid of the same extent."""
    return tuple((p + 0.5) * n / o - 0.5 for p, o, n in zip(place, old, new, strict=True))


def _nearest(values: NDArray[Voxel], size: tuple[int, ...]) -> NDArray[Voxel]:
    """The source voxel that holds the centre of each target voxel."""
    for axis, (new, old) in enumerate(zip(size, values.shape, strict=True)):
        if new != old:
            source = np.minimum(((np.arange(new) + 0.5) * old / new).astype(np.int64), old - 1)
            values = np.take(values, source, axis=axis)
    return np.ascontiguousarray(values)


def _resized(values: NDArray[Voxel], size: tuple[int, ...]) -> NDArray[Voxel]:
    """Resize along the axes that shrink first, so that as little as possible is in work."""
    factors = [new / old for new, old in zip(size, values.shape, strict=True)]
    for axis in sorted(range(values.ndim), key=lambda number: factors[number]):
        if size[axis] != values.shape[axis]:
            values = _resized_along(values, axis, size[axis])
    return np.ascontiguousarray(values)


def _resized_along(values: NDArray[Voxel], axis: int, length: int) -> NDArray[Voxel]:
    """Resize one axis: other axes are joined to one, and the two are an image for OpenCV."""
    old = values.shape[axis]
    how = cv2.INTER_AREA if length < old else cv2.INTER_LINEAR
    if axis == 0:
        rows = values.reshape(old, -1)
        result = np.empty((length, rows.shape[1]), values.dtype)
        step = max(1, CHUNK // max(old, length))
        for start in range(0, rows.shape[1], step):
            block: Any = np.ascontiguousarray(rows[:, start : start + step])
            result[:, start : start + step] = cv2.resize(block, (block.shape[1], length), interpolation=how)
        return result.reshape(length, *values.shape[1:])
    result = np.empty((*values.shape[:axis], length, *values.shape[axis + 1 :]), values.dtype)
    for number, plane in enumerate(values):
        size = (length, plane.shape[0]) if axis == 2 else (plane.shape[1], length)
        source: Any = np.ascontiguousarray(plane)
        result[number] = cv2.resize(source, size, interpolation=how)
    return result
