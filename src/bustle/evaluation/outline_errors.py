"""Whether a map of the outline's uncertainty points at what is outlined wrongly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bustle.evaluation.classification import areas_under_roc


class ErrorAreas(NamedTuple):
    """Areas under the ROC curve for the wrong pixels of one image: of the map, and of the nearness to the drawn edge.

    An outline errs mostly at its edge, so that a map tells something only if it does better than that. NaN where all
    pixels are right, or all are wrong.
    """

    uncertainty: float
    edge: float


def error_areas(
    uncertainty: NDArray[np.float32], *, drawn: NDArray[np.bool_], truth: NDArray[np.bool_]
) -> ErrorAreas:
    """How well the map `H W` ranks the pixels in which the masks `drawn` and `truth` `H W` differ."""
    wrong = (drawn != truth).ravel()
    scores = (uncertainty.ravel().astype(np.float64), -_distances_to_edge(drawn).ravel())
    once = np.ones((1, wrong.size))
    return ErrorAreas(*(float(areas_under_roc(wrong, score, weights=once)[0]) for score in scores))


def _distances_to_edge(drawn: NDArray[np.bool_]) -> NDArray[np.float64]:
    """In pixels, from either side; 0 everywhere where there is no edge."""
    if drawn.all() or not drawn.any():
        return np.zeros(drawn.shape)
    inside, outside = (np.asarray(ndimage.distance_transform_edt(mask), np.float64) for mask in (drawn, ~drawn))
    return inside + outside
