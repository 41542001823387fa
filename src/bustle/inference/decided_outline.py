"""The outline that goes with an answer: nothing where there is no lesion, something wherever there may be one."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer


@dataclass(frozen=True, kw_only=True)
class OutlineRule:
    """What of a network's mask may be a lesion.

    Of its connected parts those are dropped in which the lesion map is on average fainter than `faintest_part` of
    that in the surest, then those smaller than `smallest_part` of the largest that is left.
    """

    faintest_part: float = 0.0
    smallest_part: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.faintest_part <= 1:
            raise ValueError("faintest_part must be 0 to 1")
        if not 0 <= self.smallest_part < 1:
            raise ValueError("smallest_part must be at least 0 and below 1")

    def keeps(self, areas: NDArray[np.int64], means: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which parts `N` may be lesions, at least one, by their areas and their mean probabilities."""
        sure = means >= self.faintest_part * means.max()
        return sure & (areas >= self.smallest_part * areas[sure].max())


def possible_lesions(
    mask: NDArray[np.bool_], probability: NDArray[np.float32], *, rule: OutlineRule
) -> NDArray[np.bool_]:
    """What of the network's own mask `H W`, with its lesion probability `H W`, may be a lesion.

    Where the network drew nothing, it is the part that holds the map's peak and exceeds half of it.
    """
    if not mask.any():
        peak = float(probability.max())
        parts = numbered_parts(probability > peak / 2)
        return parts == parts[np.unravel_index(int(probability.argmax()), probability.shape)] if peak > 0 else mask
    parts = numbered_parts(mask)
    kept = rule.keeps(*measured_parts(parts, probability))
    return np.concatenate([[False], kept])[parts]


def measured_parts(
    parts: NDArray[np.int32], probability: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The area in pixels and the mean probability of each of the numbered `parts` `H W`, in their order."""
    areas = np.bincount(parts.ravel())
    sums = np.bincount(parts.ravel(), weights=probability.ravel())
    return areas[1:], sums[1:] / areas[1:]


def decided_outline(possible: NDArray[np.bool_], *, answer: Answer) -> NDArray[np.bool_]:
    """The mask `H W` that agrees with `answer`: the `possible_lesions`, or nothing where nothing is to be drawn."""
    return np.zeros_like(possible) if answer.draws_nothing else possible


def numbered_parts(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The connected parts `H W` of a mask, numbered from 1; parts that touch at a corner are one."""
    return np.asarray(cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[1], np.int32)
