"""The outline that goes with an answer: nothing where there is no lesion, something wherever there may be one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer


def possible_lesions(
    mask: NDArray[np.bool_], probability: NDArray[np.float32], *, smallest_part: float
) -> NDArray[np.bool_]:
    """What of the network's own mask `H W`, with its lesion probability `H W`, may be a lesion.

    Parts below `smallest_part` of the largest one's area are dropped. Where the network drew nothing, it is the part
    that holds the map's peak and exceeds half of it.
    """
    if not mask.any():
        peak = float(probability.max())
        parts = numbered_parts(probability > peak / 2)
        return parts == parts[np.unravel_index(int(probability.argmax()), probability.shape)] if peak > 0 else mask
    parts = numbered_parts(mask)
    areas = np.bincount(parts.ravel())[1:]
    kept = areas >= smallest_part * areas.max()
    return np.concatenate([[False], kept])[parts]


def decided_outline(possible: NDArray[np.bool_], *, answer: Answer) -> NDArray[np.bool_]:
    """The mask `H W` that agrees with `answer`: the `possible_lesions`, or nothing where nothing is to be drawn."""
    return np.zeros_like(possible) if answer.draws_nothing else possible


def numbered_parts(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The connected parts `H W` of a mask, numbered from 1; parts that touch at a corner are one."""
    return np.asarray(cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[1], np.int32)
