"""All metrics of two methods on the same cases: difference, interval and tests of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bustle.core.recipe import Protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.class_summary import (
    class_arrays,
    class_metrics,
    decided_classes,
    groups_counted,
    has_class_result,
)
from bustle.evaluation.comparison_results import BootstrapTest, DeLongTest, MetricDifference, MetricTests, PairedTTest
from bustle.evaluation.delong import DeLong, delong_test
from bustle.evaluation.detection import DetectedCase
from bustle.evaluation.froc import detection_values, lesion_count, lesion_groups
from bustle.evaluation.metrics import CLASSIFICATION, DETECTION, LESION_DETECTION, SEGMENTATION, Metric
from bustle.evaluation.paired import bootstrap_p_value, paired_t_test, pooled_t_test
from bustle.evaluation.positive_class import positive_class
from bustle.evaluation.statistics import (
    FEWEST_GROUPS,
    GroupResamples,
    group_count,
    group_interval,
    t95_interval,
    weighted_means,
)
from bustle.evaluation.summary import mask_values

FloatArray = NDArray[np.float64]
Differences = Mapping[str, MetricDifference]
"""By the metric's name in its catalogue."""

FoldValues = Mapping[str, Sequence[float]]


def compare_masks(
    reference: Sequence[CaseRow],
    other: Sequence[CaseRow],
    *,
    resamples: GroupResamples,
    leave_out: Collection[str] = (),
) -> Differences:
    """By metric of `SEGMENTATION | DETECTION`, the difference of both methods, with the tests over cases.

    Both hold the same cases in the same order. A metric counts the rows where both methods have a value; a metric
    without any such row is absent.
    """
    first, second = mask_values(reference), mask_values(other)
    known = ~np.isnan(first) & ~np.isnan(second)
    one_sided = np.isnan(first) != np.isnan(second)
    differences = np.where(known, second - first, np.nan)
    resampled = weighted_means(differences, weights=resamples.weights)
    found: dict[str, MetricDifference] = {}
    for column, (name, metric) in enumerate((SEGMENTATION | DETECTION).items()):
        both = known[:, column]
        if name in leave_out or not both.any():
            continue
        values = float(first[both, column].mean()), float(second[both, column].mean())
        found[name] = _difference(
            metric,
            values,
            resampled[:, column],
            resamples.groups[both],
            n=int(both.sum()),
            n_unpaired=int(one_sided[:, column].sum()),
            paired_t=(
                paired_t_test(differences[:, column], groups=resamples.groups) if name in SEGMENTATION else None
            ),
        )
    return found


def compare_classes(
    reference: Sequence[CaseRow],
    other: Sequence[CaseRow],
    *,
    resamples: GroupResamples,
    protocol: Protocol,
    classes: Sequence[str],
) -> Differences:
    """By metric of `CLASSIFICATION`, as `compare_masks`, over the rows where both have a class result."""
    has_result = np.array([[has_class_result(row, classes) for row in rows] for rows in (reference, other)])
    used = np.flatnonzero(has_result.all(axis=0)).tolist()
    if not used:
        return {}
    truth, first = class_arrays([reference[index] for index in used], classes)
    _, second = class_arrays([other[index] for index in used], classes)
    positive = list(classes).index(positive_class(classes, protocol=protocol))
    points, spreads, decided = [], [], []
    drawn = resamples.of(used)
    resampled = drawn.filled()
    with np.errstate(invalid="ignore"):
        for probability in (first, second):
            settings = {"positive": positive, "average": protocol.class_average}
            points.append(class_metrics(truth, probability, **settings, weights=np.ones((1, len(used)))))
            spreads.append(class_metrics(truth, probability, **settings, weights=resampled))
            decided.append(decided_classes(probability, positive))
    groups = groups_counted(truth, decided, groups=drawn.groups, positive=positive, average=protocol.class_average)
    delong = None
    if len(classes) == 2 or protocol.class_average == "binary":
        test = delong_test(truth == positive, first[:, positive], second[:, positive], groups=drawn.groups)
        difference = float(points[1]["auc"][0]) - float(points[0]["auc"][0])
        delong = None if test is None else _recorded(test, difference)
    n_unpaired = int((has_result[0] != has_result[1]).sum())
    return {
        name: _difference(
            metric,
            (float(points[0][name][0]), float(points[1][name][0])),
            spreads[1][name] - spreads[0][name],
            groups[name],
            n=len(used),
            n_unpaired=n_unpaired,
            delong=delong if name == "auc" else None,
        )
        for name, metric in CLASSIFICATION.items()
        if not np.isnan([points[0][name][0], points[1][name][0]]).any()
    }


def compare_detection(
    reference: Sequence[DetectedCase],
    other: Sequence[DetectedCase],
    *,
    resamples: GroupResamples,
    threshold: float,
    n_unpaired: int,
) -> Differences:
    """By metric of `LESION_DETECTION`, as `compare_masks`, of the same cases in the same order.

    A candidate counts from a score of `threshold` on; nothing is compared without a true lesion. In `n_unpaired`
    further cases only one of both sought lesions.
    """
    lesions = lesion_count(reference)
    if not lesions:
        return {}
    once = np.ones((1, len(reference)))
    points = [detection_values(cases, weights=once, threshold=threshold)[0] for cases in (reference, other)]
    weights = resamples.filled()
    spreads = [detection_values(cases, weights=weights, threshold=threshold) for cases in (reference, other)]
    return {
        name: _difference(
            metric,
            (float(points[0][column]), float(points[1][column])),
            spreads[1][:, column] - spreads[0][:, column],
            lesion_groups(name, reference, resamples),
            n=len(reference) if name == "false_positives_per_case" else lesions,
            n_unpaired=n_unpaired,
        )
        for column, (name, metric) in enumerate(LESION_DETECTION.items())
    }


def fold_values(
    folds: Sequence[Sequence[CaseRow]], *, protocol: Protocol, classes: Sequence[str]
) -> tuple[FoldValues, FoldValues]:
    """Every fold's value of each mask metric and of each class metric, without the folds that have none."""
    masks: dict[str, list[float]] = {name: [] for name in SEGMENTATION | DETECTION}
    decisions: dict[str, list[float]] = {name: [] for name in CLASSIFICATION}
    for rows in folds:
        table = mask_values(rows)
        means = weighted_means(table, weights=np.ones((1, len(rows))))[0]
        for name, value in zip(masks, means, strict=True):
            masks[name].append(float(value))
        used = [row for row in rows if has_class_result(row, classes)]
        if used:
            truth, probability = class_arrays(used, classes)
            positive = list(classes).index(positive_class(classes, protocol=protocol))
            settings = {"positive": positive, "average": protocol.class_average, "weights": np.ones((1, len(used)))}
            with np.errstate(invalid="ignore"):
                found = class_metrics(truth, probability, **settings)
            for name in decisions:
                decisions[name].append(float(found[name][0]))
    return _defined(masks), _defined(decisions)


def repeat_values(
    repeats: Sequence[Sequence[Sequence[CaseRow]]], *, protocol: Protocol, classes: Sequence[str]
) -> tuple[FoldValues, FoldValues]:
    """As `fold_values`, of every repeat the mean over its folds."""
    masks: dict[str, list[float]] = {name: [] for name in SEGMENTATION | DETECTION}
    decisions: dict[str, list[float]] = {name: [] for name in CLASSIFICATION}
    for folds in repeats:
        found = fold_values(folds, protocol=protocol, classes=classes)
        for gathered, values in zip((masks, decisions), found, strict=True):
            for name, own in values.items():
                gathered[name] += [float(np.mean(own))] if own else []
    return masks, decisions


def with_fold_tests(
    found: Differences,
    *,
    catalogue: Mapping[str, Metric],
    reference: FoldValues,
    other: FoldValues,
    repeated: bool = False,
) -> Differences:
    """The same with the test over the values of folds or repeats, where both methods have at least two.

    `repeated`: they are those of repeats, whose means have intervals.
    """
    tested = {}
    for name, difference in found.items():
        better = catalogue[name].higher_is_better
        test = pooled_t_test(reference[name], other[name], higher_is_better=better)
        if test is not None and repeated:
            intervals = {"reference_ci95": t95_interval(test.reference), "values_ci95": t95_interval(test.values)}
            test = replace(test, **intervals)
        tested[name] = replace(difference, tests=replace(difference.tests, pooled_t=test))
    return tested


def _defined(values: FoldValues) -> FoldValues:
    return {name: [value for value in found if not np.isnan(value)] for name, found in values.items()}


def _recorded(test: DeLong, difference: float) -> DeLongTest:
    half = 1.959964 * test.standard_error
    interval = (difference - half, difference + half)
    return DeLongTest(p=test.p, z=test.z, standard_error=test.standard_error, ci95=interval)


def _difference(
    metric: Metric,
    values: tuple[float, float],
    resampled: FloatArray,
    groups: NDArray[np.int64],
    *,
    n: int,
    n_unpaired: int,
    paired_t: PairedTTest | None = None,
    delong: DeLongTest | None = None,
) -> MetricDifference:
    """Without any test where the metric rests on too few `groups` for one."""
    interval = group_interval(resampled, groups=groups)
    if group_count(groups) < FEWEST_GROUPS:
        tests = MetricTests(bootstrap=BootstrapTest(p=None))
    else:
        judged = interval is not None or not np.nan_to_num(resampled).any()  # a constant difference is not, but 0 is
        bootstrap = BootstrapTest(p=bootstrap_p_value(resampled) if judged else None)
        tests = MetricTests(bootstrap=bootstrap, paired_t=paired_t, delong=delong)
    return MetricDifference(
        title=metric.title,
        unit=metric.unit,
        better="higher" if metric.higher_is_better else "lower",
        n=n,
        reference=values[0],
        value=values[1],
        difference=values[1] - values[0],
        ci95=interval,
        tests=tests,
        n_unpaired=n_unpaired,
    )
