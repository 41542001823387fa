"""Thirteen numbers by which breast ultrasound is told from other pictures, whatever a network makes of them.

They describe how grey values are distributed and how they change along depth and across, not what is seen: layers
lie across the beam, speckle is wider than it is deep, the far field is darker, grey values have no colour.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.data.prepared.intensities import LUMA

LONGEST_EDGE = 224
"""Pictures are shrunk to it, so that pixels mean about the same tissue."""

COLOURED, BLACK, WHITE = 40, 12, 245
"""Grey levels between the colours of a coloured pixel; of a black and of a white one."""

LAG = 6
"""Pixels between two places that are compared."""

COUNT = 13


def picture_statistics(image: NDArray[np.uint8]) -> tuple[float, ...]:
    """The `COUNT` statistics of an image `C H W`; finite for every picture."""
    planes = [_shrunk(plane).astype(np.float32) for plane in image]
    spread = np.max(planes, axis=0) - np.min(planes, axis=0)
    grey = planes[0] if len(planes) == 1 else np.tensordot(np.array(LUMA, np.float32), np.stack(planes), axes=1)
    deviation = float(grey.std()) + 1e-3
    standard = (grey - grey.mean()) / deviation
    across, down = (float(np.abs(np.diff(grey, axis=axis)).mean()) for axis in (1, 0))
    third = max(1, len(grey) // 3)
    smooth = np.asarray(cv2.GaussianBlur(grey, (0, 0), 3.0), np.float32)
    shares = np.bincount((grey.astype(np.int64) // 8).ravel().clip(0, 31), minlength=32) / grey.size
    return (
        math.log(0.1 + float((spread > COLOURED).mean())),
        math.log1p(float(grey.mean())),
        math.log(deviation),
        float((grey < BLACK).mean()),
        math.log(1e-3 + float((grey > WHITE).mean())),
        math.log((across + 0.1) / (down + 0.1)),
        math.log((float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean()) + 0.1) / deviation),
        float((standard[:, :-LAG] * standard[:, LAG:]).mean()),
        float((standard[:-LAG] * standard[LAG:]).mean()),
        (float(grey[:third].mean()) - float(grey[-third:].mean())) / deviation,
        float((standard**3).mean()),
        float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum()),
        _correlation(np.abs(grey - smooth), smooth),
    )


def _shrunk(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = plane.shape
    scale = min(1.0, LONGEST_EDGE / max(height, width))
    least = 2 * LAG
    size = (max(least, round(width * scale)), max(least, round(height * scale)))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.uint8)


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Of speckle's strength and the mean echo, which it grows with; 0 where one of them does not vary."""
    if min(float(first.std()), float(second.std())) < 1e-3:
        return 0.0
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
