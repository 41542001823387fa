"""A picture of a prediction: the image with the lesion's contour and the decision written on it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Prediction
from bustle.drawing.outlines import FONT, PREDICTED, TRUTH, as_canvas, draw_outline

DASH = 5
"""Dashes are so many times as long as they are thick."""

SMALLEST_LEGIBLE, LARGEST = 0.32, 4.0
"""Bounds of the font's scale; a scale of 1 makes capitals 22 pixels high."""


def draw_overlay(
    image: NDArray[np.uint8], prediction: Prediction, *, truth: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Draw on an image `C H W`; returns RGB `3 H W` of the same size.

    The predicted contour is amber, dashed where a lesion is only suspected, that of `truth` (`H W`) blue. Line and
    text grow with the image; on an image too small for it the text is shortened, and left out where even that would
    not be legible.
    """
    canvas = as_canvas(image)
    draw_marks(canvas, prediction, texts=captions(prediction), truth=truth)
    return np.ascontiguousarray(canvas.transpose(2, 0, 1))


def draw_marks(
    canvas: NDArray[np.uint8],
    prediction: Prediction,
    *,
    texts: tuple[str, ...],
    truth: NDArray[np.bool_] | None = None,
) -> None:
    """The contours on a canvas RGB `H W 3`, and the fullest of `texts` that fits in a quiet corner."""
    thickness = line_width(canvas.shape[:2])
    if truth is not None:
        draw_outline(canvas, truth, colour=TRUTH, thickness=thickness, smooth=False)
    mask = None if prediction.segmentation is None else prediction.segmentation.mask
    if mask is not None:
        answer = prediction.answer
        dash = DASH * thickness if answer is not None and answer.suspected else None
        draw_outline(canvas, mask, colour=PREDICTED, thickness=thickness, smooth=False, dash=dash)
    write_caption(canvas, texts, avoid=mask)


def captions(prediction: Prediction) -> tuple[str, ...]:
    """What may be written, the fullest first: `malignant 0.87, benign 0.13`; `malignant 0.87`; `M 0.87`.

    Of an answer its decision stands before the calibrated probabilities where that names no class, with what the case
    could be.
    """
    answer = prediction.answer
    probabilities = prediction.class_probabilities if answer is None else answer.probabilities
    if not probabilities:
        return ()
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    full = ", ".join(f"{label} {value:.2f}" for label, value in ranked)
    if answer is not None and answer.decision not in probabilities:
        shorter = (f"{answer.decision}: {full}", answer.decision)
        return (f"{answer.decision}, {answer.left_open}: {full}", *shorter) if answer.left_open else shorter
    name = prediction.decision or ranked[0][0]
    return (full, f"{name} {probabilities[name]:.2f}", f"{name[0].upper()} {probabilities[name]:.2f}")


def line_width(size: tuple[int, ...]) -> int:
    """How thick an outline is, in pixels, on a picture of this size."""
    return max(1, round(min(size) / 300))


def write_caption(canvas: NDArray[np.uint8], texts: tuple[str, ...], *, avoid: NDArray[np.bool_] | None) -> None:
    """The fullest of `texts` that fits, in the corner of a canvas `H W 3` that hides the least of `avoid` `H W`."""
    height, width = canvas.shape[:2]
    wanted = float(np.clip(min(height, width) / 700, SMALLEST_LEGIBLE, LARGEST))
    for text in texts:
        scale, box = _fit(text, wanted=wanted, width=width)
        if scale >= SMALLEST_LEGIBLE and box[1] <= height / 3:
            break
    else:
        return
    thickness = max(1, round(scale * 1.6))
    text_width, box_height, baseline = box
    top, left = _quiet_corner((height, width), (box_height, text_width), avoid=avoid)
    patch = canvas[top : top + box_height, left : left + text_width]
    patch[...] = patch // 4
    origin = (left + baseline // 2, top + box_height - baseline)
    cv2.putText(canvas, text, origin, FONT, scale, (255, 255, 255), thickness, cv2.LINE_AA)


def _fit(text: str, *, wanted: float, width: int) -> tuple[float, tuple[int, int, int]]:
    """The greatest scale up to `wanted` at which `text` fits `width`, and its box: width, height, baseline."""
    scale = wanted
    while True:
        (text_width, text_height), baseline = cv2.getTextSize(text, FONT, scale, max(1, round(scale * 1.6)))
        box = (text_width + baseline, text_height + 2 * baseline, baseline)
        if box[0] <= width or scale < SMALLEST_LEGIBLE:
            return scale, box
        scale *= 0.93


def _quiet_corner(size: tuple[int, int], box: tuple[int, int], *, avoid: NDArray[np.bool_] | None) -> tuple[int, int]:
    """The corner, as (top, left) of `box`, where it covers the least of `avoid`; the upper left one if equal."""
    corners = [(top, left) for top in (0, size[0] - box[0]) for left in (0, size[1] - box[1])]
    if avoid is None:
        return corners[0]
    return min(corners, key=lambda at: int(avoid[at[0] : at[0] + box[0], at[1] : at[1] + box[1]].sum()))
