"""Distances between the surfaces of two masks, exact, in any number of dimensions.

The surface of a mask is the mask minus its erosion by the cross (4 neighbours in 2D, 6 in 3D); what lies outside
the image counts as background. Only the surface points enter k-d trees, so the cost follows the outline's length
and not the image's area.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

FloatArray = NDArray[np.float64]


class SurfaceDistances(NamedTuple):
    """Distances between surface points, in the unit of the spacing.

    `to_truth` has one value per point of the predicted surface, `to_prediction` one per point of the true surface.
    """

    to_truth: FloatArray
    to_prediction: FloatArray

    def hd95(self) -> float:
        """The larger of the two directed 95th percentiles (linear interpolation)."""
        return float(max(np.percentile(self.to_truth, 95), np.percentile(self.to_prediction, 95)))

    def hd95_pooled(self) -> float:
        """The 95th percentile of both directed lists together: the form of medpy's `hd95`."""
        return float(np.percentile(np.concatenate(self), 95))

    def asd(self) -> float:
        """Mean distance from the predicted surface to the true one: the form of medpy's `asd`."""
        return float(self.to_truth.mean())

    def assd(self) -> float:
        """Mean over the points of both surfaces (Heimann et al., IEEE TMI 2009)."""
        return float(np.concatenate(self).mean())

    def scaled(self, factor: float) -> SurfaceDistances:
        return SurfaceDistances(self.to_truth * factor, self.to_prediction * factor)


def surface_points(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The indices of a mask's surface elements, N x dims; empty for an empty mask."""
    box = _bounding_box(mask)
    if box is None:
        return np.zeros((0, mask.ndim), np.int64)
    padded = np.pad(mask[box], 1)
    core = (slice(1, -1),) * mask.ndim
    interior = padded[core].copy()
    for axis in range(mask.ndim):
        for neighbour in (slice(None, -2), slice(2, None)):
            interior &= padded[(*core[:axis], neighbour, *core[axis + 1 :])]
    points = np.argwhere(padded[core] & ~interior)
    return points + [part.start for part in box]


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, ...] | None:
    box = []
    for axis in range(mask.ndim):
        occupied = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        if not occupied.size:
            return None
        box.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
    return tuple(box)


def surface_distances(
    truth: NDArray[np.bool_], prediction: NDArray[np.bool_], *, spacing: Sequence[float] | None = None
) -> SurfaceDistances:
    """Both directed lists of surface distances; in pixels without `spacing`. Neither mask may be empty."""
    if truth.shape != prediction.shape:
        raise ValueError(f"masks of different shapes: {truth.shape} and {prediction.shape}")
    true_points, predicted_points = surface_points(truth), surface_points(prediction)
    if not len(true_points) or not len(predicted_points):
        raise ValueError("the surface distance to an empty mask is not defined")
    scale = np.ones(truth.ndim) if spacing is None else np.asarray(spacing, np.float64)
    true_points, predicted_points = true_points * scale, predicted_points * scale
    return SurfaceDistances(_nearest(predicted_points, true_points), _nearest(true_points, predicted_points))


def _nearest(points: FloatArray, targets: FloatArray) -> FloatArray:
    distances, _ = KDTree(targets, balanced_tree=False, compact_nodes=False).query(points)
    return distances
