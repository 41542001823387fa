"""The points of a class's ROC and precision-recall curve, one per distinct score."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def roc_curve(positive: NDArray[np.bool_], score: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """False and true positive rate (0..1) from (0, 0) to (1, 1), as the threshold falls.

    Both classes occur. Points on a straight line between two others are left out.
    """
    hits, misses = _counts_above(positive, score)
    turns = (np.diff(hits, 2) != 0) | (np.diff(misses, 2) != 0)
    corner = np.ones(len(hits), np.bool_)
    corner[1:-1] = turns
    return np.append(0, misses[corner] / misses[-1]), np.append(0, hits[corner] / hits[-1])


def precision_recall_curve(positive: NDArray[np.bool_], score: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Precision and recall (0..1) as the threshold rises, ending at recall 0 with precision 1; positives occur."""
    hits, misses = _counts_above(positive, score)
    precision, recall = hits / (hits + misses), hits / hits[-1]
    return np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0)


def _counts_above(positive: NDArray[np.bool_], score: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many positives and negatives have at least each distinct score, from the highest down."""
    values = np.asarray(score, np.float64)
    falling = np.argsort(values, kind="stable")[::-1]
    last_of_its_score = np.append(np.flatnonzero(np.diff(values[falling])), len(values) - 1)
    hits = np.cumsum(positive[falling], dtype=np.int64)[last_of_its_score]
    return hits, last_of_its_score + 1 - hits
