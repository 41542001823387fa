"""Class metrics, computed for many weightings of the cases at once.

Every function takes `weights` `R x cases` (a row of ones gives the plain value, bootstrap counts give resamples)
and returns one value per row; NaN where a metric is undefined.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bustle.evaluation.row_blocks import row_blocks

FloatArray = NDArray[np.float64]
ClassAverage = Literal["binary", "macro", "macro_recall_weighted_precision"]


def confusion_matrices(
    truth: NDArray[np.int64], decided: NDArray[np.int64], *, class_count: int, weights: FloatArray
) -> FloatArray:
    """`R x true class x decided class` weighted counts."""
    cells = np.eye(class_count**2)[truth * class_count + decided]
    return (weights @ cells).reshape(-1, class_count, class_count)


def per_class_metrics(confusion: FloatArray) -> dict[str, FloatArray]:
    """Sensitivity, specificity, precision, NPV and F1 of every class against the rest, `… x classes`."""
    total = confusion.sum(axis=(-2, -1))[..., None]
    hit = np.diagonal(confusion, axis1=-2, axis2=-1)
    true, decided = confusion.sum(axis=-1), confusion.sum(axis=-2)
    rejected = total - true - decided + hit
    return {
        "sensitivity": _divide(hit, true),
        "specificity": _divide(rejected, total - true),
        "precision": _divide(hit, decided),
        "npv": _divide(rejected, total - decided),
        "f1": _divide(2 * hit, true + decided),
    }


def decision_metrics(confusion: FloatArray, *, positive: int, average: ClassAverage) -> dict[str, FloatArray]:
    """All metrics of the decided classes from `… x C x C` counts (rows = truth).

    `binary`: of class `positive` against the rest. `macro`: unweighted mean over the classes that occur in the
    truth, a class never decided has precision 0. `macro_recall_weighted_precision`: recall as `macro`, precision
    and F1 weighted by the classes' true counts. Accuracy, balanced accuracy and MCC do not depend on `average`.
    """
    each = per_class_metrics(confusion)
    true, decided = confusion.sum(axis=-1), confusion.sum(axis=-2)
    total = true.sum(axis=-1)
    occurs = (true > 0).astype(np.float64)
    if average == "binary":
        chosen = {name: values[..., positive] for name, values in each.items()}
    else:
        weighted = ("precision", "f1") if average == "macro_recall_weighted_precision" else ()
        chosen = {name: _weighted_mean(values, true if name in weighted else occurs) for name, values in each.items()}
    correct = np.trace(confusion, axis1=-2, axis2=-1)
    agreement = correct * total - (true * decided).sum(axis=-1)
    spread = np.sqrt((total**2 - (decided**2).sum(axis=-1)) * (total**2 - (true**2).sum(axis=-1)))
    return chosen | {
        "fpr": 1 - chosen["specificity"],
        "accuracy": _divide(correct, total),
        "balanced_accuracy": _weighted_mean(each["sensitivity"], occurs),
        "mcc": _divide(agreement, spread),
    }


def share_metrics(average: ClassAverage) -> tuple[str, ...]:
    """Those metrics that are the share of some cases: an average over classes is none."""
    of_one_class = ("sensitivity", "specificity", "fpr", "precision", "npv") if average == "binary" else ()
    return ("accuracy", *of_one_class)


def counted_cases(
    name: str, truth: NDArray[np.int64], decided: NDArray[np.int64], *, positive: int
) -> NDArray[np.bool_]:
    """Of which cases one of the `share_metrics` is the share."""
    match name:
        case "sensitivity":
            return truth == positive
        case "specificity" | "fpr":
            return truth != positive
        case "precision":
            return decided == positive
        case "npv":
            return decided != positive
    return np.ones(len(truth), bool)


def areas_under_roc(positive: NDArray[np.bool_], score: FloatArray, *, weights: FloatArray) -> FloatArray:
    """The area under the ROC curve, ties counted half (Mann-Whitney)."""

    def areas(weights: FloatArray) -> FloatArray:
        hits, misses = _by_rising_score(positive, score, weights)
        below = np.cumsum(misses, axis=1) - misses / 2
        return _divide((hits * below).sum(axis=1), hits.sum(axis=1) * misses.sum(axis=1))

    return np.concatenate([areas(block) for block in row_blocks(weights, width=len(score))])


def average_precisions(positive: NDArray[np.bool_], score: FloatArray, *, weights: FloatArray) -> FloatArray:
    """Average precision: precision summed over the steps of recall, without interpolation."""

    def means(weights: FloatArray) -> FloatArray:
        hits, misses = _by_rising_score(positive, score, weights)
        hits_above = np.cumsum(hits[:, ::-1], axis=1)[:, ::-1]
        drawn_above = hits_above + np.cumsum(misses[:, ::-1], axis=1)[:, ::-1]
        precision = np.divide(hits_above, drawn_above, out=np.zeros_like(hits_above), where=drawn_above > 0)
        return _divide((precision * hits).sum(axis=1), hits.sum(axis=1))

    return np.concatenate([means(block) for block in row_blocks(weights, width=len(score))])


def _by_rising_score(
    positive: NDArray[np.bool_], score: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Weight of positives and of negatives at every distinct score, rising, `R x scores` each."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    hits = np.where(positive[order], weights[:, order], 0.0)
    misses = np.where(positive[order], 0.0, weights[:, order])
    return np.add.reduceat(hits, starts, axis=1), np.add.reduceat(misses, starts, axis=1)


def _divide(part: FloatArray, whole: FloatArray) -> FloatArray:
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)


def _weighted_mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    return _divide((np.nan_to_num(values) * weights).sum(axis=-1), weights.sum(axis=-1))
