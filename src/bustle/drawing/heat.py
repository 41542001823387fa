"""An explanation's map as colours on the picture that it explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bustle.core.explanation import STAGE, MethodMeaning
from bustle.core.types import Explanation, ImageMapping, Prediction
from bustle.drawing.outlines import STRONGEST_TINT, as_canvas, tint
from bustle.drawing.overlay import draw_marks
from bustle.drawing.volume_cuts import draw_cuts

FOR, AGAINST, UNSURE = (255, 48, 32), (48, 128, 255), (230, 60, 255)
"""The colours, RGB, of what speaks for the class and against it, and of an uncertain outline."""

PERCENTILE = 99.5
"""Of the magnitudes of a map whose scale has no end; what is beyond it is as strong as it."""


def draw_explanation(image: NDArray[np.uint8], prediction: Prediction, explanation: Explanation) -> NDArray[np.uint8]:
    """A map on an image `C H W` at its own size, or on three cuts through a volume `C D H W`; RGB `3 H W`.

    The outline is drawn in as in every picture of a prediction, and the class that is explained is written on it. How
    strongly a stage answers is a grey picture of its own, not a colour on the image.
    """
    if explanation.channel is not None and explanation.channel.startswith(STAGE):
        return _draw_stage(prediction, explanation)
    colours = (FOR, AGAINST) if explanation.meaning.of_class else (UNSURE, AGAINST)
    strengths = _strengths(explanation.values, most=explanation.meaning.greatest)
    if isinstance(prediction.mapping, ImageMapping):
        canvas = as_canvas(image)
        for strength, colour in zip(strengths, colours, strict=True):
            tint(canvas, strength, colour=colour)
        draw_marks(canvas, prediction, texts=_captions(explanation))
        return np.ascontiguousarray(canvas.transpose(2, 0, 1))
    mask = None if prediction.segmentation is None else prediction.segmentation.mask
    tints = tuple(zip(strengths, colours, strict=True))
    return draw_cuts(image[0], truth=None, prediction=mask, spacing=prediction.geometry.step, tints=tints)


def _draw_stage(prediction: Prediction, explanation: Explanation) -> NDArray[np.uint8]:
    grey = _stretched(explanation.values)
    if isinstance(prediction.mapping, ImageMapping):
        canvas = as_canvas(grey[None])
        draw_marks(canvas, prediction, texts=_captions(explanation))
        return np.ascontiguousarray(canvas.transpose(2, 0, 1))
    mask = None if prediction.segmentation is None else prediction.segmentation.mask
    return draw_cuts(grey, truth=None, prediction=mask, spacing=prediction.geometry.step)


def _stretched(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values from their least to their most as 0..255; where a map is 0 the network saw nothing: black."""
    seen = values[values > 0]
    if seen.size == 0:
        return np.zeros(values.shape, np.uint8)
    least, most = np.percentile(seen, [100 - PERCENTILE, PERCENTILE])
    return np.round(np.clip((values - least) / max(most - least, 1e-6), 0, 1) * 255).astype(np.uint8)


def heat_layer(values: NDArray[np.float32], *, meaning: MethodMeaning) -> NDArray[np.uint8]:
    """A map `H W` as colours alone, RGBA `4 H W`, as strong as in `draw_explanation`, to be laid over its image."""
    positive, negative = _strengths(values, most=meaning.greatest)
    stronger = np.array(FOR if meaning.of_class else UNSURE, np.uint8)[:, None, None]
    colours = np.where(positive > 0, stronger, np.array(AGAINST, np.uint8)[:, None, None])
    opacity = np.round(np.maximum(positive, negative) * STRONGEST_TINT).astype(np.uint8)
    return np.concatenate([colours, opacity[None]])


def _strengths(values: NDArray[np.float32], *, most: float | None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """How strong the positive and the negative values are, 0..255 for nothing to `most`, or to the map's own most."""
    if most is None:
        magnitude = np.abs(values)
        most = float(np.percentile(magnitude, PERCENTILE)) or float(magnitude.max())
    if most == 0:
        return np.zeros(values.shape, np.uint8), np.zeros(values.shape, np.uint8)
    share = np.clip(values / most, -1, 1) * 255
    return np.maximum(share, 0).round().astype(np.uint8), np.maximum(-share, 0).round().astype(np.uint8)


def _captions(explanation: Explanation) -> tuple[str, ...]:
    title = explanation.channel or explanation.meaning.title
    return (title,) if explanation.class_name is None else (f"for {explanation.class_name}: {title}", title)
