"""What a reader must know of a picture before its answer: two frames, dark on white, few pixels, colour, cut off.

The rules look at pixels only and are made to keep silent; `scripts/picture_remarks.py` counts what they say of real
pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Lesion
from bustle.data.relations.frame_features import to_grey
from bustle.inference.descriptors.tissue import picture_frame

TWO_FRAMES = "two frames?"
INVERTED = "dark on white?"
FEW_PIXELS = "few pixels"
COLOUR = "colour in the picture"
CUT_OFF = "cut off by the edge"
SEEMS_CUT_OFF = "cut off by the edge?"

SMALLEST_SIDE = 96
"""Pixels; the smallest image of BUSI has 190."""

WIDTH = 256
"""Pictures are brought to it; a seam is looked for in the columns from a quarter to three."""

JUMP = 12
"""Grey levels of a step between two columns, and between what lies on each side of them."""

SEAM = 1 / 3
"""A seam is where this share of the rows steps more than steps between most columns."""

LIGHT = 0.25
"""A picture is dark on white where (median - 127.5) / 60 - skewness - (near field - far field, in SD) is above it."""

FLOW = 40
"""Grey levels by which red or blue exceeds green in a pixel of flow; calipers and text are yellow, green or white."""

LEAST_FLOW = 0.0015
"""From this share of the pixels on there is colour; the images of BUSI that show flow have 0.0028 to 0.005 of it."""


def picture_remarks(
    image: NDArray[np.uint8], *, lesions: Sequence[Lesion] = (), seems_cut_off: bool = False
) -> tuple[str, ...]:
    """The remarks on an image `C H W` and on the lesions that are drawn in it; most images have none.

    `seems_cut_off` is what a `mirrored_look` found.
    """
    return tuple(_remarks(image, lesions, seems_cut_off=seems_cut_off))


def _remarks(image: NDArray[np.uint8], lesions: Sequence[Lesion], *, seems_cut_off: bool) -> Iterator[str]:
    grey = to_grey(image)
    height, width = grey.shape
    size = (WIDTH, max(1, round(height * WIDTH / width)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    if min(height, width) < SMALLEST_SIDE:
        yield FEW_PIXELS
    elif has_seam(small):
        yield TWO_FRAMES
    if is_dark_on_white(small):
        yield INVERTED
    if shows_flow(image):
        yield COLOUR
    if lesions and any(_reaches(lesion.box, picture_frame(grey)) for lesion in lesions):
        yield CUT_OFF
    elif seems_cut_off:
        yield SEEMS_CUT_OFF


def _reaches(box: tuple[int, int, int, int], frame: tuple[slice, ...]) -> bool:
    top, left, bottom, right = box
    rows, columns = frame
    return top <= rows.start or bottom >= rows.stop or left <= columns.start or right >= columns.stop


def has_seam(grey: NDArray[np.float32]) -> bool:
    """Whether a grey picture `h WIDTH` changes all at once between two columns about its middle."""
    rows = cv2.blur(grey, (1, 5))
    means = cv2.blur(rows, (3, 1))
    columns = np.arange(WIDTH // 4, 3 * WIDTH // 4)
    across = rows[:, columns] - rows[:, columns - 1]
    beyond = means[:, columns + 4] - means[:, columns - 5]  # a thin line has no such difference, or any sign of it
    stepping = (np.minimum(across, beyond) > JUMP) | (np.maximum(across, beyond) < -JUMP)
    share = stepping.mean(axis=0)
    return bool(share.max() - np.median(share) > SEAM)


def shows_flow(image: NDArray[np.uint8]) -> bool:
    """Whether an image `C H W` has the red and blue of colour Doppler; a tint of the whole picture is none."""
    if len(image) == 1:
        return False
    red, green, blue = image
    return float((cv2.subtract(cv2.max(red, blue), green) > FLOW).mean()) > LEAST_FLOW


def is_dark_on_white(grey: NDArray[np.float32]) -> bool:
    """Whether a grey picture `h w` is distributed as an inverted one: light, skewed to black, light in the depth."""
    deviation = float(grey.std()) + 1e-3
    third = max(1, len(grey) // 3)
    skewness = float((((grey - grey.mean()) / deviation) ** 3).mean())
    fall = (float(grey[:third].mean()) - float(grey[-third:].mean())) / deviation
    return (float(np.median(grey)) - 127.5) / 60 - skewness - fall > LIGHT
