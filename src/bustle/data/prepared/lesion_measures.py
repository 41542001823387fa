"""Measuring predicted lesions: the connected parts of a mask, with contour, area and diameters."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Box, Lesion

MIDPOINTS = np.array([(-0.5, 0.0), (0.5, 0.0), (0.0, -0.5), (0.0, 0.5)])
"""From a pixel's centre to the middle of its four edges, (y, x)."""


def measure_lesions(
    mask: NDArray[np.bool_], probability: NDArray[np.float32], *, spacing: tuple[float, ...] | None
) -> tuple[Lesion, ...]:
    """The 8-connected parts of a mask `H W`, the largest first; in mm where the spacing (y, x) is known, else px.

    `probability` of a lesion is the mean of the map over its pixels. The contour is the outer one, through the
    centres of the border pixels.
    """
    count, parts, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count == 1:
        return ()
    sums = np.bincount(parts.ravel(), weights=probability.ravel(), minlength=count)
    found = []
    for part in range(1, count):
        x, y, width, height, pixels = (int(value) for value in statistics[part])
        box = Box(y, x, y + height, x + width)
        contour = outer_contour(parts[y : y + height, x : x + width] == part) + np.array((y, x))
        scale = np.ones(2) if spacing is None else np.asarray(spacing, dtype=float)
        long_axis, short_axis = diameters(contour * scale, midpoints=MIDPOINTS * scale)
        found.append(
            Lesion(
                contour=tuple((float(point[0]), float(point[1])) for point in contour),
                area=pixels * float(scale.prod()),
                long_axis=long_axis,
                short_axis=short_axis,
                box=box,
                probability=min(float(sums[part]) / pixels, 1.0),
                unit="px" if spacing is None else "mm",
            )
        )
    return tuple(sorted(found, key=lambda lesion: (-lesion.area, lesion.box)))


def outer_contour(part: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The corners `N 2` (y, x) of the longest outer border of a mask, through the centres of its pixels."""
    contours, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    longest = max(contours, key=len)
    return longest.reshape(-1, 2)[:, ::-1].astype(np.float64)


def diameters(border: NDArray[np.float64], *, midpoints: NDArray[np.float64] = MIDPOINTS) -> tuple[float, float]:
    """The longest diameter of border pixels `N 2`, and the extent at right angles to it.

    The ends are at the middle of pixel edges, so that a row of n pixels measures n (as scikit-image's maximum
    Feret diameter does).
    """
    points = (border[:, None, :] + midpoints).reshape(-1, 2)
    hull = cv2.convexHull(points.astype(np.float32)).reshape(-1, 2).astype(float)
    offsets = hull[:, None, :] - hull[None, :, :]
    lengths = np.hypot(offsets[..., 0], offsets[..., 1])
    first, second = np.unravel_index(lengths.argmax(), lengths.shape)
    longest = float(lengths[first, second])
    along = offsets[first, second] / longest
    across = hull @ np.array([-along[1], along[0]])
    return longest, float(across.max() - across.min())
