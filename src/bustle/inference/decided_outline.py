"""The outline that goes with an answer: nothing where there is no lesion, something wherever there may be one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer


def possible_lesions(
    mask: NDArray[np.bool_], probability: NDArray[np.float32], *, smallest_part: float, faintest_part: float
) -> NDArray[np.bool_]:
    """What of the network's own mask `H W`, with its lesion probability `H W`, may be a lesion.

    Of its parts those that `kept_parts` names. Where the network drew nothing, it is the part that holds the map's
    peak and exceeds half of it.
    """
    if not mask.any():
        peak = float(probability.max())
        parts = numbered_parts(probability > peak / 2)
        return parts == parts[np.unravel_index(int(probability.argmax()), probability.shape)] if peak > 0 else mask
    parts = numbered_parts(mask)
    kept = kept_parts(*measured_parts(parts, probability), smallest_part=smallest_part, faintest_part=faintest_part)
    return np.concatenate([[False], kept])[parts]


def measured_parts(
    parts: NDArray[np.int32], probability: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The area in pixels and the mean probability of each of the numbered `parts` `H W`, in their order."""
    areas = np.bincount(parts.ravel())
    sums = np.bincount(parts.ravel(), weights=probability.ravel())
    return areas[1:], sums[1:] / areas[1:]


def kept_parts(
    areas: NDArray[np.int64], means: NDArray[np.float64], *, smallest_part: float, faintest_part: float
) -> NDArray[np.bool_]:
    """Which parts `N` may be lesions, by their areas and their mean probabilities.

    Dropped is what is fainter than `faintest_part` of the surest, then what is smaller than `smallest_part` of the
    largest that is left. At least one is kept.
    """
    sure = means >= faintest_part * means.max()
    return sure & (areas >= smallest_part * areas[sure].max())


def decided_outline(possible: NDArray[np.bool_], *, answer: Answer) -> NDArray[np.bool_]:
    """The mask `H W` that agrees with `answer`: the `possible_lesions`, or nothing where nothing is to be drawn."""
    return np.zeros_like(possible) if answer.draws_nothing else possible


def numbered_parts(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The connected parts `H W` of a mask, numbered from 1; parts that touch at a corner are one."""
    return np.asarray(cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[1], np.int32)
