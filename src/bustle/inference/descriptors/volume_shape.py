"""The shape of a lesion in a volume."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

from bustle.inference.descriptors.crofton import boundary_measure
from bustle.inference.descriptors.moments import DEPTH_AXIS, ellipse_of
from bustle.inference.descriptors.results import VolumeShape

_FACES = 0.5 * np.concatenate([np.eye(3), -np.eye(3)])
_THICKENING = 1e-3 * (2.0 * np.array(list(np.ndindex(2, 2, 2))) - 1)
"""Of points to tiny cubes, so that flat lesions have a hull too; no further voxel centre gets into it."""


_LEVEL = 1e-9
"""A facet whose normal has no larger part along a row is parallel to it."""


def volume_shape(lesion: NDArray[np.bool_], *, step: tuple[float, ...]) -> VolumeShape:
    """Describe the voxels `d h w` of one lesion, cut to its box; `step` is the size of a voxel along each axis."""
    scale = np.asarray(step, dtype=float)
    filled = np.asarray(ndimage.binary_fill_holes(lesion), bool)
    ends = _ends_of_rows(filled)
    longest, middle, shortest = _three_diameters(_hull_points(ends, _FACES) * scale)
    length, depth, width = (float(size) for size in np.array(lesion.shape) * scale)
    volume = int(lesion.sum()) * float(scale.prod())
    enclosed = int(filled.sum()) * float(scale.prod())
    surface = boundary_measure(filled, step=step)
    ellipsoid = ellipse_of(lesion, step=step, depth_axis=DEPTH_AXIS)
    return VolumeShape(
        longest_diameter=longest,
        middle_diameter=middle,
        shortest_diameter=shortest,
        length=length,
        depth=depth,
        width=width,
        depth_width_ratio=depth / max(width, length),
        volume=volume,
        equivalent_diameter=(6 * volume / math.pi) ** (1 / 3),
        orientation=ellipsoid.elevation,
        axis_ratio=ellipsoid.axes[-1] / ellipsoid.axes[0],
        sphericity=min(1.0, math.pi ** (1 / 3) * (6 * enclosed) ** (2 / 3) / surface),
        solidity=int(filled.sum()) / voxels_in_hull(filled),
    )


def voxels_in_hull(mask: NDArray[np.bool_]) -> int:
    """How many voxel centres the convex hull of a mask's own holds, row by row between its facets."""
    facets = ConvexHull((_ends_of_rows(mask)[:, None, :] + _THICKENING).reshape(-1, 3)).equations
    across = facets[:, 2]
    rows = np.arange(mask.shape[1])
    count = 0
    for plane in range(mask.shape[0]):
        # A point is inside where normal . point + offset <= 0 for every facet.
        free = -(facets[:, 3] + facets[:, 0] * plane + facets[:, 1] * rows[:, None])
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = free / across
        last = np.where(across > _LEVEL, bound, np.inf).min(axis=1)
        first = np.where(across < -_LEVEL, bound, -np.inf).max(axis=1)
        inside = np.where((np.abs(across) <= _LEVEL) & (free < -_LEVEL), False, True).all(axis=1)
        count += int(np.clip(np.floor(last[inside]) - np.ceil(first[inside]) + 1, 0, None).sum())
    return count


def _ends_of_rows(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The first and the last voxel of every row along the last axis: all that a convex hull can touch."""
    rows = np.argwhere(mask.any(axis=-1))
    first = mask.argmax(axis=-1)[tuple(rows.T)]
    last = mask.shape[-1] - 1 - mask[..., ::-1].argmax(axis=-1)[tuple(rows.T)]
    return np.concatenate([np.column_stack([rows, first]), np.column_stack([rows, last])]).astype(float)


def _hull_points(voxels: NDArray[np.float64], offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    points = (voxels[:, None, :] + offsets).reshape(-1, 3)
    return points[ConvexHull(points).vertices]


def _three_diameters(points: NDArray[np.float64]) -> tuple[float, float, float]:
    """The longest diameter, the longest at right angles to it, and the extent at right angles to both."""
    longest, along = _longest(points)
    middle, across = _longest(points - (points @ along)[:, None] * along)
    third = points @ np.cross(along, across)
    return longest, middle, float(third.max() - third.min())


def _longest(points: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    squares = (points**2).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * points @ points.T
    first, second = np.unravel_index(distances.argmax(), distances.shape)
    offset = points[first] - points[second]
    length = float(np.linalg.norm(offset))
    return length, offset / length
