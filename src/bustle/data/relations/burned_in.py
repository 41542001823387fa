"""Text, calipers and colour that a scanner burned into the picture.

Both recognise ink by what tissue cannot look like: strokes that are bright and thin along a row (the point-spread
function of an ultrasound beam is wide along a row), and colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_STROKE_WIDTH = 11
_STROKE_BRIGHTNESS = 170
_STROKE_CONTRAST = 90
_STROKE_HEIGHT = 5
_STROKE_AREA = 6
_COLOUR_SPREAD = 48


@dataclass(frozen=True)
class Strokes:
    """Upright thin strokes: `boxes` int `N 4` (x, y, width, height) and their pixels' `numbers` in `labels` `H W`."""

    boxes: NDArray[np.int32]
    numbers: NDArray[np.intp]
    labels: NDArray[np.int32]

    def drawn(self, which: NDArray[np.intp]) -> NDArray[np.bool_]:
        """The pixels of some of the strokes, bool `H W`."""
        if len(which) == 0:
            return np.zeros(self.labels.shape, bool)
        shown = np.zeros(int(self.labels.max()) + 1, bool)
        shown[self.numbers[which]] = True
        return np.take(shown, self.labels)


def upright_strokes(
    grey: NDArray[np.uint8], *, brightness: int, contrast: int, height: int, without: NDArray[np.bool_] | None = None
) -> Strokes:
    """Strokes that are thin along a row in an image uint8 `H W`.

    They are at least so bright, so much brighter than what lies beside them, and so tall. Pixels of `without` do not
    count.
    """
    row = np.ones((1, _STROKE_WIDTH), np.uint8)
    above = cv2.subtract(grey, cv2.morphologyEx(grey, cv2.MORPH_OPEN, row))
    ink = ((grey >= brightness) & (above >= contrast)).astype(np.uint8)
    if without is not None:
        ink[without] = 0
    # labels of 16 bits are found in a third of the time; there are never more of them than pixels of ink
    kind = cv2.CV_16U if cv2.countNonZero(ink) < np.iinfo(np.uint16).max else cv2.CV_32S
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(ink, connectivity=8, ltype=kind)
    tall = (statistics[:, cv2.CC_STAT_HEIGHT] >= height) & (statistics[:, cv2.CC_STAT_AREA] >= _STROKE_AREA)
    tall[0] = False
    numbers = np.flatnonzero(tall)
    return Strokes(statistics[numbers, :4].astype(np.int32), numbers, labels.astype(np.int32))


def burned_in_marks(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The upright strokes of bright text and calipers in an image uint8 `H W`, as bool `H W`.

    A part of each letter or cross suffices to find it; horizontal strokes look like tissue interfaces and are not
    marked. Meant for the usual 300 to 1200 px frames.
    """
    strokes = upright_strokes(grey, brightness=_STROKE_BRIGHTNESS, contrast=_STROKE_CONTRAST, height=_STROKE_HEIGHT)
    return strokes.drawn(np.arange(len(strokes.numbers)))


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
