"""Small pictures of frames with their outlines, and sheets of them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.drawing.outlines import FONT, as_canvas, draw_outline

COLOURS = ((255, 196, 0), (90, 200, 255), (255, 120, 200), (140, 255, 140), (255, 140, 90), (190, 160, 255))
"""RGB of the lesions of a clip by their numbers, over and over."""

_TEXT_SCALE, _TEXT_HEIGHT = 0.4, 18
_WHITE = (255, 255, 255)


def draw_frame(
    image: NDArray[np.uint8], lesions: Sequence[tuple[int, NDArray[np.bool_]]], *, caption: str, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """A frame `C H W` within `size` (height, width), RGB `height width 3`, with a line of text below it.

    `lesions` are the number and the mask `H W` of each; the number tells its colour and stands at its place.
    """
    height, width = size
    room = height - _TEXT_HEIGHT
    scale = min(room / image.shape[1], width / image.shape[2])
    shown = max(1, round(image.shape[2] * scale))
    small = as_canvas(image, width=min(shown, width))[:room]
    for number, mask in lesions:
        colour = COLOURS[(number - 1) % len(COLOURS)]
        across = cv2.resize(
            mask.astype(np.uint8), (small.shape[1], small.shape[0]), interpolation=cv2.INTER_NEAREST_EXACT
        )
        draw_outline(small, np.asarray(across) > 0, colour=colour)
        rows, columns = np.nonzero(across)
        if len(rows):
            place = (int(columns.max()) + 2, max(10, int(rows.min())))
            cv2.putText(small, str(number), place, FONT, _TEXT_SCALE, colour, 1, cv2.LINE_AA)
    canvas = np.zeros((height, width, 3), np.uint8)
    left = (width - small.shape[1]) // 2
    canvas[: small.shape[0], left : left + small.shape[1]] = small
    cv2.putText(canvas, caption, (3, height - 5), FONT, _TEXT_SCALE, _WHITE, 1, cv2.LINE_AA)
    return canvas


def sheet(tiles: Sequence[NDArray[np.uint8]], *, columns: int) -> NDArray[np.uint8]:
    """Tiles RGB `h w 3` of one size, row by row; returns RGB `3 H W`. Raises `ValueError` where there are none."""
    if not tiles:
        raise ValueError("a sheet needs a tile")
    height, width, _ = tiles[0].shape
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    canvas = np.zeros((rows * height, columns * width, 3), np.uint8)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        canvas[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    return np.ascontiguousarray(canvas.transpose(2, 0, 1))
