"""Outlines of masks on pictures, and pictures as JPEG: what every other drawing is made of."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

PREDICTED = (255, 196, 0)
TRUTH = (86, 180, 233)
"""The colours, RGB, of predicted and of true outlines wherever both are drawn: amber and sky blue, which stay apart
for colour-blind eyes (Okabe & Ito 2008)."""

STRONGEST_TINT = 0.65
"""The most that a colour may take of a pixel, so that the image stays visible."""

FONT = cv2.FONT_HERSHEY_SIMPLEX


def as_canvas(image: NDArray[np.uint8], *, width: int | None = None) -> NDArray[np.uint8]:
    """A copy of an image `C H W` (C = 1 or 3) to draw on, RGB `H W 3`; resized to `width` pixels where given."""
    channels = np.repeat(image, 3, axis=0) if image.shape[0] == 1 else image
    canvas = np.array(channels.transpose(1, 2, 0), order="C")
    if width is None or width == canvas.shape[1]:
        return canvas
    height = max(1, round(canvas.shape[0] * width / canvas.shape[1]))
    interpolation = cv2.INTER_AREA if canvas.shape[1] > width else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(canvas, (width, height), interpolation=interpolation), np.uint8)


def draw_outline(
    canvas: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    *,
    colour: tuple[int, int, int],
    thickness: int = 1,
    smooth: bool = True,
    dash: int | None = None,
) -> None:
    """Draw the border of a mask `H W` and of its holes on a canvas `H W 3` of the same size.

    With `dash`, dashes and gaps of that many pixels instead of a line.
    """
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if dash is not None:
        for contour in contours:
            for start in range(0, len(contour), 2 * dash):
                cv2.polylines(canvas, [contour[start : start + dash]], False, colour, thickness, cv2.LINE_8)
        return
    cv2.drawContours(canvas, contours, -1, colour, thickness, cv2.LINE_AA if smooth else cv2.LINE_8)


def tint(canvas: NDArray[np.uint8], strength: NDArray[np.uint8], *, colour: tuple[int, int, int]) -> None:
    """Blend a colour into a canvas RGB `H W 3`, by 0..255 of `STRONGEST_TINT` in each pixel of `strength` `H W`."""
    share = strength[..., None].astype(np.float32) * (STRONGEST_TINT / 255)
    canvas[...] = np.round(canvas * (1 - share) + np.array(colour, np.float32) * share).astype(np.uint8)


def as_jpeg(canvas: NDArray[np.uint8], *, quality: int) -> bytes:
    """A canvas RGB `H W 3` as the bytes of a JPEG file; `quality` 0..100."""
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()
