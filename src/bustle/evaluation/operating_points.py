"""What a threshold on a probability brings: specificity at a sensitivity, and net benefit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.evaluation.row_blocks import row_blocks

FloatArray = NDArray[np.float64]


class OperatingPoints(NamedTuple):
    """Per row of weights: the largest threshold that reaches a sensitivity, and what it brings.

    All are NaN without a positive case, the specificity also without a negative one.
    """

    threshold: FloatArray
    sensitivity: FloatArray
    specificity: FloatArray


def at_sensitivity(
    positive: NDArray[np.bool_], probability: FloatArray, *, target: float, weights: FloatArray
) -> OperatingPoints:
    """Cases at or above the threshold are called positive; `weights` are `R x cases`."""
    order = np.argsort(-probability, kind="stable")
    score, truth = probability[order], positive[order]
    blocks = row_blocks(weights, width=len(score))
    each = [_at_sensitivity(truth, score, target=target, weights=block[:, order]) for block in blocks]
    return OperatingPoints(*map(np.concatenate, zip(*each, strict=True)))


def _at_sensitivity(
    truth: NDArray[np.bool_], score: FloatArray, *, target: float, weights: FloatArray
) -> OperatingPoints:
    """As `at_sensitivity`, of falling scores."""
    last = np.append(score[1:] != score[:-1], True)  # of equal probabilities all are called, or none
    hits, alarms = np.cumsum(weights * truth, axis=1), np.cumsum(weights * ~truth, axis=1)
    reached = (hits >= target * hits[:, -1:] - 1e-9) & last
    place = reached.argmax(axis=1)
    rows = np.arange(len(weights))
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity = hits[rows, place] / hits[:, -1]
        specificity = 1 - alarms[rows, place] / alarms[:, -1]
    has_positive = hits[:, -1] > 0
    return OperatingPoints(
        np.where(has_positive, score[place], np.nan), sensitivity, np.where(has_positive, specificity, np.nan)
    )


def net_benefits(positive: NDArray[np.bool_], probability: FloatArray, *, thresholds: FloatArray) -> FloatArray:
    """True positives less weighed false ones, per case, at each threshold (Vickers & Elkin, Med. Decis. Making 2006).

    A false alarm weighs t / (1 - t) of a hit at the threshold t; cases at or above it are called positive.
    """
    called = probability[None] >= thresholds[:, None]
    hits, alarms = (called & positive).mean(axis=1), (called & ~positive).mean(axis=1)
    return hits - alarms * thresholds / (1 - thresholds)


def net_benefits_of_all(positive: NDArray[np.bool_], *, thresholds: FloatArray) -> FloatArray:
    """As `net_benefits`, of calling every case positive."""
    return net_benefits(positive, np.ones(len(positive)), thresholds=thresholds)
