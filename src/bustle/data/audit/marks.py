"""Text, scales, calipers and frames burned into a picture, also such as are grey, thin or small.

Each of three looks asks for something that tissue does not show: much bright ink, strokes of one height side by side
or one above the other, thin crosses. The limits were chosen on one half of a hand-marked sample of BUS-BRA and BUSI;
`scripts/marks_recall.py` says how many marks they find in the other half, and how many clean pictures they take for
marked ones.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.data.relations.burned_in import burned_in_marks, upright_strokes

_MIN_BRIGHT_PIXELS = 40
_CORNER = 0.08

_GREY_BRIGHTNESS = 100
_GREY_CONTRAST = 40
_GREY_HEIGHT = 6
_SIDE_BY_SIDE = 4
_ONE_ABOVE_ANOTHER = 3
_STROKES_FOR_ONE_MORE = 8
_REACH = 10
_MOST_STROKES = 1000

_ARM = 4
_CROSS_CONTRAST = 20
_BETWEEN_UPRIGHT_ARMS = ((-3, -3), (-3, 3), (3, -3), (3, 3))
_BETWEEN_SLANTED_ARMS = ((-4, 0), (4, 0), (0, -4), (0, 4))


def marks_in(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """A part of each mark in an image uint8 `H W`, as bool `H W`; nothing where the picture is free of marks.

    The probe orientation mark, a small sign that most scanners put into an upper corner, is none. Meant for the usual
    270 to 1200 px frames.
    """
    corner = _corners(grey.shape)
    bright = burned_in_marks(grey) & ~corner
    if np.count_nonzero(bright) < _MIN_BRIGHT_PIXELS:
        bright[:] = False
    return bright | _aligned_strokes(grey, corner) | (_crosses(grey) & ~corner)


def _corners(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    corners = np.zeros(shape, bool)
    height, width = round(_CORNER * shape[0]), round(_CORNER * shape[1])
    corners[:height, :width] = True
    corners[:height, shape[1] - width :] = True
    return corners


def _aligned_strokes(grey: NDArray[np.uint8], left_out: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Grey strokes of text and scales: similar in height, side by side in a line or one above the other in a column.

    The more strokes a picture has, as coarse speckle has them everywhere, the more of them have to be aligned. Of a
    picture of noise, which has more strokes than any text, only the first are looked at.
    """
    strokes = upright_strokes(
        grey, brightness=_GREY_BRIGHTNESS, contrast=_GREY_CONTRAST, height=_GREY_HEIGHT, without=left_out
    )
    boxes = strokes.boxes[:_MOST_STROKES].astype(np.float32)
    x, y, height = boxes[:, 0] + boxes[:, 2] / 2, boxes[:, 1] + boxes[:, 3] / 2, boxes[:, 3]
    taller = np.maximum(height[:, None], height)
    alike = taller <= 2 * np.minimum(height[:, None], height)
    across, along = np.abs(x[:, None] - x), np.abs(y[:, None] - y)
    in_line = alike & (along <= taller / 2) & (across <= _REACH * taller)
    in_column = alike & (across <= taller / 2)
    more = len(strokes.boxes) // _STROKES_FOR_ONE_MORE
    kept = _any_group(in_line, least=_SIDE_BY_SIDE + more) | _any_group(in_column, least=_ONE_ABOVE_ANOTHER + more)
    return strokes.drawn(np.flatnonzero(kept))


def _any_group(together: NDArray[np.bool_], *, least: int) -> NDArray[np.bool_]:
    """Which of N strokes are together (`N N`) with one that has at least `least` about it, itself counted."""
    return np.any(together[together.sum(axis=1) >= least], axis=0)


def _crosses(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Calipers, upright or slanted: two thin lines that cross, all of them brighter than what lies between.

    What lies between is a mean of 3 x 3 pixels, so that a bright speckle does not hide a cross.
    """
    ground = cv2.blur(grey, (3, 3))
    line = np.ones((1, 2 * _ARM + 1), np.uint8)
    slanted = np.eye(2 * _ARM + 1, dtype=np.uint8)
    centres = np.zeros(grey.shape, np.uint8)
    for one, other, between in (
        (line, line.T.copy(), _BETWEEN_UPRIGHT_ARMS),
        (slanted, slanted[::-1].copy(), _BETWEEN_SLANTED_ARMS),
    ):
        arms = cv2.min(cv2.erode(grey, one), cv2.erode(grey, other))
        contrast = cv2.subtract(arms, cv2.dilate(ground, _at(between)))
        inside = (slice(_ARM, -_ARM), slice(_ARM, -_ARM))
        centres[inside] |= (contrast >= _CROSS_CONTRAST)[inside]
    return cv2.dilate(centres, np.ones((2 * _ARM + 1, 2 * _ARM + 1), np.uint8)) > 0


def _at(offsets: tuple[tuple[int, int], ...]) -> NDArray[np.uint8]:
    """A structuring element that holds these offsets (row, column) from its centre."""
    element = np.zeros((2 * _ARM + 1, 2 * _ARM + 1), np.uint8)
    for row, column in offsets:
        element[_ARM + row, _ARM + column] = 1
    return element
