"""Text, calipers and colour that a scanner burned into the picture.

Both recognise ink by what tissue cannot look like: strokes that are bright and thin along a row (the point-spread
function of an ultrasound beam is wide along a row), and colour.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_STROKE_WIDTH = 11
_STROKE_BRIGHTNESS = 170
_STROKE_CONTRAST = 90
_STROKE_HEIGHT = 5
_STROKE_AREA = 6
_COLOUR_SPREAD = 48


def burned_in_marks(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The upright strokes of text and calipers in an image uint8 `H W`, as bool `H W`.

    A part of each letter or cross suffices to find it; horizontal strokes look like tissue interfaces and are not
    marked. Meant for the usual 300 to 1200 px frames.
    """
    row = np.ones((1, _STROKE_WIDTH), np.uint8)
    contrast = cv2.subtract(grey, cv2.morphologyEx(grey, cv2.MORPH_OPEN, row))
    strokes = ((grey >= _STROKE_BRIGHTNESS) & (contrast >= _STROKE_CONTRAST)).astype(np.uint8)
    _, components, statistics, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    keep = (statistics[:, cv2.CC_STAT_HEIGHT] >= _STROKE_HEIGHT) & (statistics[:, cv2.CC_STAT_AREA] >= _STROKE_AREA)
    keep[0] = False
    return keep[components.astype(np.intp)]


def colour_overlay(image: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Where strongly coloured pixels lie (Doppler, coloured calipers, logos), bool `H W`, in an image `C H W`.

    None for a grey image. A tint that the whole picture shares is no overlay: the spread of the channels is
    compared with the median spread of bright pixels, the picture's own tint.
    """
    if image.shape[0] == 1:
        return None
    brightest = image.max(axis=0)
    spread = (brightest - image.min(axis=0)).astype(np.float32)
    bright = brightest > _COLOUR_SPREAD
    tint = float(np.median(spread[bright])) if bright.any() else 0.0
    return spread > _COLOUR_SPREAD + 2 * tint
