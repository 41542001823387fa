"""The ellipse (ellipsoid) that has the same second moments as a lesion."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DEPTH_AXIS = 1
"""Of a volume `D H W` as the convention of `bustle.data.prepared.orientation` has it."""

ROUND = 1e-6
"""Axes that differ by a smaller share have no direction."""


class Ellipse(NamedTuple):
    """Full lengths of the `axes`, the longest first, and their `directions` as rows, around the `centre`.

    `elevation` is the angle of the first axis against the skin, 0..90 degrees, None where all directions are alike.
    """

    centre: NDArray[np.float64]
    axes: tuple[float, ...]
    directions: NDArray[np.float64]
    elevation: float | None

    def radial_spread(self, outline: NDArray[np.float64]) -> float:
        """The standard deviation of the distance of points `N dims` from the ellipse, along the ray from its centre.

        The mean, which is that of pixel centres from pixel edges, is left out.
        """
        offsets = outline - self.centre
        relative = np.linalg.norm(2 * offsets @ self.directions.T / np.array(self.axes), axis=1)
        radius = np.linalg.norm(offsets, axis=1)
        on_ellipse = np.divide(radius, relative, out=np.full(len(radius), self.axes[-1] / 2), where=relative > 0)
        return float((radius - on_ellipse).std())


def ellipse_of(mask: NDArray[np.bool_], *, step: tuple[float, ...], depth_axis: int) -> Ellipse:
    """A pixel is a square of its size, no point: moments of inertia as in Gonzalez & Woods, 12.2, and its own.

    The axes of an ellipse are 4, those of an ellipsoid 2 sqrt(5) standard deviations long.
    """
    scale = np.asarray(step, dtype=float)
    centre, covariance = _moments(mask, scale=scale)
    variances, directions = np.linalg.eigh(covariance)
    factor = 4.0 if mask.ndim == 2 else 2 * math.sqrt(5)
    axes = tuple(float(factor * math.sqrt(variance)) for variance in variances[::-1])
    directions = directions.T[::-1]
    if axes[0] - axes[1] <= ROUND * axes[0]:
        return Ellipse(centre, axes, directions, None)
    upwards = min(1.0, abs(float(directions[0, depth_axis])))
    return Ellipse(centre, axes, directions, math.degrees(math.asin(upwards)))


def _moments(
    mask: NDArray[np.bool_], *, scale: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The centre of a mask's pixels and their covariance, from how many lie at every place of two axes."""
    count = np.count_nonzero(mask)
    every = range(mask.ndim)
    covariance = np.diag(scale**2 / 12)
    along = [np.arange(size) * unit for size, unit in zip(mask.shape, scale, strict=True)]
    single = [mask.sum(axis=tuple(axis for axis in every if axis != one)) for one in every]
    centre = np.array([places @ counts / count for places, counts in zip(along, single, strict=True)])
    centred = [places - middle for places, middle in zip(along, centre, strict=True)]
    for one, other in itertools.combinations(every, 2):
        joint = mask.sum(axis=tuple(axis for axis in every if axis not in (one, other)), dtype=float)
        covariance[one, other] = covariance[other, one] = centred[one] @ joint @ centred[other] / count
    for one in every:
        covariance[one, one] += centred[one] ** 2 @ single[one] / count
    return centre, covariance
