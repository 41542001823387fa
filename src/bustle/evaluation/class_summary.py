"""The classification part of `metrics.json`: point values with clustered bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bustle.core.recipe import Protocol
from bustle.evaluation.calibration import brier_scores, calibration_errors, equal_mass_bins, equal_width_bins
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.classification import (
    ClassAverage,
    areas_under_roc,
    average_precisions,
    confusion_matrices,
    counted_cases,
    decision_metrics,
    per_class_metrics,
    share_metrics,
)
from bustle.evaluation.figures import ClassFigures, Estimate, OneClassFigures
from bustle.evaluation.metrics import CALIBRATION, CLASSIFICATION
from bustle.evaluation.positive_class import positive_class
from bustle.evaluation.statistics import GroupResamples, group_count, group_interval, share_interval

FloatArray = NDArray[np.float64]


def has_class_result(row: CaseRow, classes: Sequence[str]) -> bool:
    """Whether a case counts in the class metrics: known class, and a probability of every class."""
    return row.label in classes and all(row.probability(name) is not None for name in classes)


def summarise_classes(
    rows: Sequence[CaseRow], *, resamples: GroupResamples, protocol: Protocol, classes: Sequence[str]
) -> ClassFigures | None:
    """Class metrics of the rows that have a class result. None without any row.

    The decided class is the most probable one; the positive class wins a tie.
    """
    used = [index for index, row in enumerate(rows) if has_class_result(row, classes)]
    if not used:
        return None
    truth, probability = class_arrays([rows[index] for index in used], classes)
    positive = list(classes).index(positive_class(classes, protocol=protocol))
    decided = decided_classes(probability, positive)

    def values(weights: FloatArray) -> dict[str, FloatArray]:
        return class_metrics(truth, probability, positive=positive, average=protocol.class_average, weights=weights)

    everything = np.ones((1, len(used)))
    resampled = resamples.of(used)
    with np.errstate(invalid="ignore"):
        point, spread = values(everything), values(resampled.filled())
    confusion = confusion_matrices(truth, decided, class_count=len(classes), weights=everything)
    groups = groups_counted(
        truth, [decided], groups=resampled.groups, positive=positive, average=protocol.class_average
    )
    shares = share_metrics(protocol.class_average)
    estimates = {
        name: Estimate(
            mean=_number(point[name][0]),
            sd=None,
            ci95=_interval(point[name][0], spread[name], groups=groups[name], is_share=name in shares),
            n=len(used),
            unit=metric.unit,
        )
        for name, metric in CLASSIFICATION.items()
    }
    return ClassFigures(
        classes=tuple(classes),
        positive_class=classes[positive],
        average=protocol.class_average,
        n=len(used),
        confusion=tuple(tuple(map(int, row)) for row in confusion[0]),
        estimates=estimates,
        per_class=_per_class(truth, probability, confusion, classes=classes),
    )


def _interval(
    point: float, spread: FloatArray, *, groups: NDArray[np.int64], is_share: bool
) -> tuple[float, float] | None:
    if np.isnan(point):
        return None
    if is_share:
        return share_interval(float(point), spread, groups=groups)
    return group_interval(spread, groups=groups)


def groups_counted(
    truth: NDArray[np.int64],
    decided: Sequence[NDArray[np.int64]],
    *,
    groups: NDArray[np.int64],
    positive: int,
    average: ClassAverage,
) -> dict[str, NDArray[np.int64]]:
    """By metric of `CLASSIFICATION`, the groups on which it rests, for one or several methods' decided classes.

    A share rests on the cases that it counts, a calibration on all; any other metric needs cases of every class (of
    both sides where one class is positive), so that it rests on no more groups than the rarest of them has.
    """
    sides = [truth == positive, truth != positive] if average == "binary" else [truth == k for k in np.unique(truth)]
    rarest = min((groups[side] for side in sides), key=group_count)
    found = {name: groups if name in CALIBRATION else rarest for name in CLASSIFICATION}
    for name in share_metrics(average):
        counted = [counted_cases(name, truth, one, positive=positive) for one in decided]
        found[name] = groups[np.logical_or.reduce(counted)]
    return found


def _per_class(
    truth: NDArray[np.int64], probability: FloatArray, confusion: FloatArray, *, classes: Sequence[str]
) -> dict[str, OneClassFigures]:
    """Every class against the rest, from the probabilities `cases x classes` and the confusion `1 x C x C`."""
    each, once = per_class_metrics(confusion), np.ones((1, len(truth)))
    return {
        name: OneClassFigures(
            n=int((truth == k).sum()),
            auc=_number(areas_under_roc(truth == k, probability[:, k], weights=once)[0]),
            **{metric: _number(values[0, k]) for metric, values in each.items()},
        )
        for k, name in enumerate(classes)
    }


def class_arrays(rows: Sequence[CaseRow], classes: Sequence[str]) -> tuple[NDArray[np.int64], FloatArray]:
    """True class `cases` and probabilities `cases x classes` of rows that all have a class result."""
    truth = np.array([classes.index(row.label or "") for row in rows], np.int64)
    return truth, np.array([[row.probability(name) for name in classes] for row in rows], np.float64)


def class_metrics(
    truth: NDArray[np.int64],
    probability: FloatArray,
    *,
    positive: int,
    average: ClassAverage,
    weights: FloatArray,
) -> dict[str, FloatArray]:
    """The metrics of `CLASSIFICATION`, one value per row of `weights` (`R x cases`); NaN where undefined."""
    class_count = probability.shape[1]
    decided = decided_classes(probability, positive)
    confusion = confusion_matrices(truth, decided, class_count=class_count, weights=weights)
    one_vs_rest = [
        areas_under_roc(truth == k, probability[:, k], weights=weights)
        for k in ([positive] if class_count == 2 else range(class_count))
    ]
    found = decision_metrics(confusion, positive=positive, average=average)
    found["auc_macro_ovr"] = _mean_of_defined(one_vs_rest)
    binary = average == "binary" and class_count > 2
    found["auc"] = one_vs_rest[positive] if binary else found["auc_macro_ovr"]
    outcome, score = truth == positive, probability[:, positive]
    found["average_precision"] = average_precisions(outcome, score, weights=weights)
    found["brier"] = brier_scores(outcome, score, weights=weights)
    bins = {
        "ece_equal_width_15": equal_width_bins(score, 15),
        "ece_equal_mass_10": equal_mass_bins(score, 10),
    }
    for name, bin_of_case in bins.items():
        found[name] = calibration_errors(outcome, score, bin_of_case=bin_of_case, weights=weights)
    return found


def decided_classes(probability: FloatArray, positive: int) -> NDArray[np.int64]:
    """The most probable class; the positive class wins a tie."""
    decided = probability.argmax(axis=1)
    decided[probability[:, positive] >= probability.max(axis=1)] = positive
    return decided


def _mean_of_defined(values: Sequence[FloatArray]) -> FloatArray:
    """Mean over classes, leaving out a class whose AUC is undefined because it does not occur."""
    table = np.stack(values)
    defined = ~np.isnan(table)
    return np.where(defined, table, 0.0).sum(axis=0) / defined.sum(axis=0)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
