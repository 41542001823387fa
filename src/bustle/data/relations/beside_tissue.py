"""What a scanner shows beside the tissue: names, dates, scales, logos."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_TISSUE_BRIGHTNESS = 12
_SHARE_OF_BRIGHT = 0.2
"""What is darker than this share of the 95th percentile is no tissue: compression leaves noise about letters."""

_THICKER_THAN_LETTERS = 1 / 24
"""Of the picture's shorter side. Less than half of a square that large is ink, wherever in a text it lies."""

_LEAST_TISSUE = 0.05
_PART_OF_THE_TISSUE = 0.2
"""Of the largest part's area: a dark gap may divide it."""

_SHOWN_BRIGHTNESS = 24
_ABOUT_LETTERS = (5, 9)
"""Pixels down and across that belong to a letter's pixel: strokes have soft edges."""


def tissue_hull(grey: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """The convex hull of the largest parts of a picture uint8 `H W` that are thicker than letters are, bool `H W`.

    None where nothing that thick fills a twentieth of the picture.
    """
    thick = max(5, round(_THICKER_THAN_LETTERS * min(grey.shape)) | 1)
    least = max(_TISSUE_BRIGHTNESS, _SHARE_OF_BRIGHT * np.percentile(grey, 95))
    solid = (cv2.medianBlur(grey, thick) >= least).astype(np.uint8)
    solid = cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones((thick, thick), np.uint8))
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(solid)
    if count < 2:
        return None
    areas = statistics[:, cv2.CC_STAT_AREA]
    largest = areas[1:].max()
    if largest < _LEAST_TISSUE * grey.size:
        return None
    parts = areas >= _PART_OF_THE_TISSUE * largest
    parts[0] = False
    outlines, _ = cv2.findContours(parts[labels].astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = np.zeros(grey.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.concatenate(outlines)), 1)
    return hull.astype(bool)


def shown_beside_tissue(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Everything that can be seen outside of the hull of the tissue, bool `H W`; of a picture without tissue, all."""
    shown = cv2.dilate((grey >= _SHOWN_BRIGHTNESS).astype(np.uint8), np.ones(_ABOUT_LETTERS, np.uint8)).astype(bool)
    hull = tissue_hull(grey)
    return shown if hull is None else shown & ~hull
