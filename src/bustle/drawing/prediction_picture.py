"""The picture that people look at first: what a model said, drawn onto what it saw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bustle.core.types import ImageMapping, Prediction
from bustle.drawing.overlay import draw_overlay
from bustle.drawing.volume_cuts import draw_cuts


def draw_prediction(
    image: NDArray[np.uint8], prediction: Prediction, *, truth: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """An image `C H W` with its contours at its own size, or three cuts through a volume `C D H W`; RGB `3 H W`.

    `truth` (`*S`) is drawn too, where it is known.
    """
    if isinstance(prediction.mapping, ImageMapping):
        return draw_overlay(image, prediction, truth=truth)
    mask = None if prediction.segmentation is None else prediction.segmentation.mask
    return draw_cuts(image[0], truth=truth, prediction=mask, spacing=prediction.geometry.step)
