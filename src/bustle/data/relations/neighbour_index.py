"""Nearest neighbours among millions of vectors: OpenCV's k-d tree (FLANN) over their principal components.

A question descends the tree and looks into a fixed number of its leaves, the nearest first (Muja & Lowe, IEEE TPAMI
2014): all questions together cost N log N. What is found is near, not surely the nearest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_COMPONENTS = 32
_TRAINING = 50_000
_KD_TREE = 1
"""FLANN's number of that algorithm."""


class NeighbourIndex:
    """Vectors, numbered through in the order of the `parts` (arrays `n d`, counted beforehand in `counts`).

    `parts` are gone through twice: for the components, and to turn them.
    """

    def __init__(self, parts: Iterable[NDArray[np.float32]], *, counts: Sequence[int]) -> None:
        self.count = sum(counts)
        self._mean, self._components = _principal_components(parts, share=min(1.0, _TRAINING / max(1, self.count)))
        turned = np.empty((self.count, len(self._components)), np.float32)
        start = 0
        for part, count in zip(parts, counts, strict=True):
            turned[start : start + count] = self._turned(part)
            start += count
        cv2.setRNGSeed(0)  # the tree divides along a dimension that is drawn
        self._tree = cv2.flann.Index(turned, {"algorithm": _KD_TREE, "trees": 1})

    def nearest(
        self, questions: NDArray[np.float32], *, at_most: int, leaves: int, within: float
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Pairs of a row of `questions` and the number of a vector near it.

        `within` is the squared distance of their components, never more than that of the vectors; `leaves` are
        looked into. Threads may ask at once.
        """
        numbers, distances = self._tree.knnSearch(
            self._turned(questions), min(at_most, self.count), params={"checks": leaves}
        )
        question, column = np.nonzero((numbers >= 0) & (distances < within))
        return question, numbers[question, column].astype(np.int64)

    def _turned(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray((vectors - self._mean) @ self._components.T, np.float32)


def _principal_components(
    parts: Iterable[NDArray[np.float32]], *, share: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean `1 d` and the leading directions `c d` of a share of the vectors."""
    random = np.random.default_rng(0)
    sample = np.concatenate([part[random.random(len(part)) < share] for part in parts])
    mean, components = cv2.PCACompute(sample, mean=None, maxComponents=_COMPONENTS)  # type: ignore[call-overload]
    return np.asarray(mean, np.float32), np.asarray(components, np.float32)
