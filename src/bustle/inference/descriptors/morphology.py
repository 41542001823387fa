"""Operations on masks and grey values that are quick in images (OpenCV), and the same in volumes (SciPy).

Predicting an image must not wait for SciPy's import.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

SMOOTHING = 1.0
"""Standard deviation of the Gaussian, in pixels."""

REACH = 4
"""Pixels from its centre at which the Gaussian ends."""


def distance_to(mask: NDArray[np.bool_], *, step: Sequence[float]) -> NDArray[np.float64]:
    """The distance of every pixel `*S` from the nearest one of a mask that is not empty, in the unit of `step`."""
    if mask.ndim > 2 or len(set(step)) > 1:
        from scipy.ndimage import distance_transform_edt

        return np.asarray(distance_transform_edt(~mask, sampling=step), np.float64)
    rows = np.atleast_2d((~mask).astype(np.uint8))
    single = cv2.distanceTransform(rows, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).reshape(mask.shape)
    # Squares of distances in pixels are whole numbers: this undoes the rounding to single precision.
    return np.sqrt(np.rint(np.square(single, dtype=np.float64))) * step[0]


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A Gaussian of 1 pixel over an array `*S`, which goes on as its edge pixels are."""
    if values.ndim > 2:
        from scipy.ndimage import gaussian_filter

        return np.asarray(gaussian_filter(values, SMOOTHING, mode="nearest", radius=REACH))
    size = (2 * REACH + 1,) * 2
    return np.asarray(cv2.GaussianBlur(values, size, SMOOTHING, borderType=cv2.BORDER_REPLICATE), np.float64)


def without_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """An image's mask with what it encloses: background that no path by edges leads out of."""
    background = np.pad(~mask, 1, constant_values=True).view(np.uint8)
    parts = np.asarray(cv2.connectedComponents(background, connectivity=4)[1])
    return parts[1:-1, 1:-1] != parts[0, 0]


def border_of(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of an image's mask with an edge to something else, or to the end of the array."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    inner = cv2.erode(mask.view(np.uint8), cross, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return mask & (np.asarray(inner) == 0)
