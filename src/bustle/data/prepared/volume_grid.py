"""From a volume's own anisotropic grid to cubic voxels and back; training and inference share this one file.

The conventions are those of `preprocess`: a voxel covers the box around its centre, so that the first and last
faces of both grids coincide; along an axis that shrinks every source voxel is averaged in; masks take the nearest
voxel. The axes are separable and are resized one after the other, so that memory stays near that of the result.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.data_section import PatchData
from bustle.core.errors import InputError
from bustle.core.types import Geometry

Voxel = TypeVar("Voxel", np.uint8, np.bool_, np.float32)

CHUNK = 1 << 24
"""About how many voxels are in work at a time along the slowest axis."""


def cubic_geometry(geometry: Geometry, *, section: PatchData) -> Geometry:
    """The whole volume on voxels of about `section.spacing_mm`: the nearest whole number of them along each axis.

    There are at least two, as in every volume. Raises `InputError` for an image, and for a volume without spacing.
    """
    if geometry.dims != 3:
        raise InputError("is an image, the model takes volumes", remedy="give NRRD, NIfTI or MHA volumes")
    if geometry.spacing is None:
        raise InputError("has no voxel spacing", remedy="write it into the volume's header")
    extent = zip(geometry.original_size, geometry.spacing, strict=True)
    size = tuple(max(2, round(count * step / section.spacing_mm)) for count, step in extent)
    return dataclasses.replace(
        geometry,
        crop_start=(0, 0, 0),
        crop_size=geometry.original_size,
        resized_size=size,
        pad_before=(0, 0, 0),
        network_size=size,
    )


def cubic_spacing(geometry: Geometry) -> tuple[float, ...]:
    """The voxel size in mm of the network's grid, which differs from `spacing_mm` by rounding only."""
    if geometry.spacing is None or geometry.network_size is None:
        raise ValueError("this geometry records no cubic grid")
    axes = zip(geometry.original_size, geometry.spacing, geometry.network_size, strict=True)
    return tuple(count * step / new for count, step, new in axes)


def cubic_grid(geometry: Geometry) -> Geometry:
    """The network's grid as a volume of its own, at the same place in the world."""
    spacing = cubic_spacing(geometry)
    origin = geometry.origin
    if origin is not None and geometry.spacing is not None and geometry.direction is not None:
        # The faces coincide, so the centres of the first voxels do not. ITK's axes come in the opposite order.
        shift = (np.array(spacing) - geometry.spacing)[::-1] / 2
        origin = tuple(np.array(origin) + np.reshape(geometry.direction, (3, 3)) @ shift)
    return Geometry(_network_size(geometry), spacing=spacing, origin=origin, direction=geometry.direction)


def volume_to_cubic(volume: NDArray[np.uint8], *, geometry: Geometry) -> NDArray[np.uint8]:
    """Intensities `D H W` on the network's grid `d h w`."""
    return _resized(volume, _network_size(geometry))


def mask_to_cubic(mask: NDArray[Voxel], *, geometry: Geometry) -> NDArray[Voxel]:
    """A mask or an instance map `D H W` on the network's grid `d h w`, nearest voxel."""
    if mask.shape != geometry.original_size:
        raise ValueError(f"mask {mask.shape} and volume {geometry.original_size} differ in size")
    return _nearest(mask, _network_size(geometry))


def map_to_original(values: NDArray[np.float32], *, geometry: Geometry) -> NDArray[np.float32]:
    """A map `d h w` of the network on the original grid `D H W`, interpolated linearly."""
    return _resized(values, geometry.original_size)


def parts_to_original(parts: NDArray[np.uint8], *, geometry: Geometry) -> NDArray[np.uint8]:
    """Numbered parts `d h w` on the original grid, each widened by up to a voxel of the network's grid.

    They are to be cut by a mask there, whose border lies between the network's voxels.
    """
    from scipy import ndimage  # images are predicted without it

    widened = np.where(parts > 0, parts, ndimage.grey_dilation(parts, size=3))
    return _nearest(widened, geometry.original_size)


def _network_size(geometry: Geometry) -> tuple[int, ...]:
    if geometry.network_size is None:
        raise ValueError("this geometry records no cubic grid")
    return geometry.network_size


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
