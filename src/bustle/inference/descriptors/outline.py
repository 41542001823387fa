"""The outer outline of a lesion in an image: how rough it is, how lobed.

The contour runs through the centres of the border pixels, in mm where the spacing is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

POINTS = 512
"""Points of equal distance along a contour, from which its harmonics are computed."""

COARSE_HARMONICS = 6
"""Harmonics up to this number are the form of a lesion (an ellipse, lobes), those above its margin."""

SUBSTANTIAL = 0.05
"""An indentation between lobes is at least this deep, in equivalent diameters."""


@dataclass(frozen=True)
class OutlineForm:
    """See the table of definitions; all are relative to the equivalent diameter."""

    margin_roughness: float
    lobes: int
    deepest_indentation: float


def contour_of(part: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The outer contour `N 2` (y, x) of the largest part of a mask, every border pixel in order."""
    contours, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=lambda contour: (cv2.contourArea(contour), len(contour)))
    return largest.reshape(-1, 2)[:, ::-1].astype(np.float64)


def outline_form(contour: NDArray[np.float64], *, equivalent_diameter: float) -> OutlineForm:
    """Describe a closed contour `N 2`, in the unit of the diameter."""
    depths = indentation_depths(contour) / equivalent_diameter
    substantial = int((depths > SUBSTANTIAL).sum())
    return OutlineForm(
        margin_roughness=_distance_from_coarse_harmonics(contour) / equivalent_diameter,
        lobes=max(1, substantial),
        deepest_indentation=float(depths.max(initial=0.0)),
    )


def indentation_depths(contour: NDArray[np.float64]) -> NDArray[np.float64]:
    """How deep the contour lies at most below each edge of its convex hull."""
    if len(contour) < 4:
        return np.zeros(0)
    corners = np.unique(cv2.convexHull(contour.astype(np.float32), returnPoints=False).ravel())
    depths = []
    for first, last in zip(corners, np.roll(corners, -1), strict=True):
        inner = np.arange(first + 1, last if last > first else last + len(contour)) % len(contour)
        chord = contour[last] - contour[first]
        length = np.hypot(*chord)
        if inner.size and length > 0:
            offsets = contour[inner] - contour[first]
            depths.append(np.abs(offsets[:, 0] * chord[1] - offsets[:, 1] * chord[0]).max() / length)
    return np.array(depths)


def _distance_from_coarse_harmonics(contour: NDArray[np.float64]) -> float:
    """Root mean square distance of the contour from what its coarse harmonics draw.

    Elliptic Fourier features, Kuhl & Giardina, Computer Graphics and Image Processing 18:236-258 (1982), as the
    Fourier coefficients of x + iy; by Parseval the distance is the root of the sum of squares of those left out.
    """
    closed = np.concatenate([contour, contour[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    if along[-1] == 0:
        return 0.0
    places = np.arange(POINTS) * along[-1] / POINTS
    points = np.interp(places, along, closed[:, 1]) + 1j * np.interp(places, along, closed[:, 0])
    power = np.abs(np.fft.fft(points) / POINTS) ** 2
    number = np.abs(np.fft.fftfreq(POINTS, 1 / POINTS))
    return float(np.sqrt(power[number > COARSE_HARMONICS].sum()))
