"""By how much a flawed protocol raises a figure over the strict one, on the same patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.core.provenance import Provenance
from bustle.core.recipe import Protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.class_summary import (
    class_arrays,
    class_metrics,
    decided_classes,
    groups_counted,
    has_class_result,
)
from bustle.evaluation.flaws import PositiveClass
from bustle.evaluation.metrics import CLASSIFICATION, DETECTION, SEGMENTATION
from bustle.evaluation.statistics import FEWEST_GROUPS, group_count, percentile_interval, weighted_means
from bustle.evaluation.summary import mask_values

FloatArray = NDArray[np.float64]

METRICS = ("dice", "hd95_px", "auc", "accuracy", "sensitivity", "specificity")
"""Whose inflation is told; sensitivity and specificity are those of the classes."""

_MASK_COLUMNS = list(SEGMENTATION | DETECTION)


@dataclass(frozen=True, kw_only=True)
class Inflation:
    """A metric by the `strict` and the `flawed` protocol: means over `runs` repeats, and their `difference`.

    `ci95` is its 95 % interval, whole groups resampled, the same in both; None of too few groups.
    """

    metric: str
    unit: str
    strict: float
    flawed: float
    difference: float
    ci95: tuple[float, float] | None
    cases: int
    runs: int


@dataclass(frozen=True, kw_only=True)
class FlawResult:
    """What one flaw does to the figures of one data set; `trained` if it took trainings of its own."""

    source: str
    flaw: str
    title: str
    trained: bool
    figures: tuple[Inflation, ...]


@dataclass(frozen=True, kw_only=True)
class LeakageStudy:
    """The content of `leakage.json`: the `results`, and the recipe's id, epochs, image size, folds and seeds.

    These are None, and the seeds none, where finished results were scored and nothing was trained.
    """

    recipe: str | None
    epochs: int | None
    size: tuple[int, ...] | None
    folds: int | None
    seeds: tuple[int, ...]
    results: tuple[FlawResult, ...]
    provenance: Provenance


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One repeat's rows of all test cases by one protocol."""

    rows: Sequence[CaseRow]
    protocol: Protocol


def inflations(
    strict: Sequence[Judged],
    flawed: Sequence[Judged],
    *,
    group_of: Mapping[str, str],
    classes: Sequence[str],
    resamples: int = 2000,
    seed: int = 0,
) -> list[Inflation]:
    """Of every metric that both have, the mean over repeats, number k of one paired with number k of the other.

    A metric that the flaw cannot touch, the same in every resample, is left out.
    `group_of` maps case ids to what is resampled together, such as patients.
    """
    names = sorted(set(group_of.values()))
    count = len(names)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    weights = np.concatenate([np.ones((1, count)), drawn]).astype(np.float64)
    number = {name: index for index, name in enumerate(names)}
    values = [
        [
            _values(each, groups=_groups(each.rows, group_of, number), group_weights=weights, classes=classes)
            for each in side
        ]
        for side in (strict, flawed)
    ]
    found = []
    for name in METRICS:
        if not all(name in one for side in values for one in side):
            continue
        before, after = (np.mean([one[name].values for one in side], axis=0) for side in values)
        differences = after - before
        if not np.nan_to_num(differences).any():
            continue
        enough = min(one[name].groups for side in values for one in side) >= FEWEST_GROUPS
        found.append(
            Inflation(
                metric=name,
                unit=(SEGMENTATION | CLASSIFICATION)[name].unit,
                strict=float(before[0]),
                flawed=float(after[0]),
                difference=float(differences[0]),
                ci95=percentile_interval(differences[1:]) if enough else None,
                cases=len(flawed[0].rows),
                runs=len(flawed),
            )
        )
    return found


def _groups(rows: Sequence[CaseRow], group_of: Mapping[str, str], number: Mapping[str, int]) -> NDArray[np.int64]:
    return np.array([number[group_of[row.case_id]] for row in rows], np.int64)


class _Resampled(NamedTuple):
    """A metric's `values`, the first on the cases as they are, and on how many `groups` it rests."""

    values: FloatArray
    groups: int


def _values(
    judged: Judged, *, groups: NDArray[np.int64], group_weights: FloatArray, classes: Sequence[str]
) -> dict[str, _Resampled]:
    """Each metric in every row of `group_weights` `R x groups`; `groups` are those of the rows by number."""
    rows, weights = judged.rows, group_weights[:, groups]
    table = mask_values(rows)
    means = weighted_means(table, weights=weights)
    found = {}
    for name in ("dice", "hd95_px"):
        place = _MASK_COLUMNS.index(name)
        if not np.isnan(means[0, place]):
            found[name] = _Resampled(means[:, place], group_count(groups[~np.isnan(table[:, place])]))
    used = [place for place, row in enumerate(rows) if has_class_result(row, classes)]
    positive = judged.protocol.positive_class
    if used and positive in classes:
        truth, probability = class_arrays([rows[place] for place in used], classes)
        about = {"positive": list(classes).index(positive), "average": judged.protocol.class_average}
        with np.errstate(invalid="ignore"):
            metrics = class_metrics(truth, probability, weights=weights[:, used], **about)
        decided = decided_classes(probability, about["positive"])
        counted = groups_counted(truth, [decided], groups=groups[used], **about)
        found |= {name: _Resampled(metrics[name], group_count(counted[name])) for name in METRICS if name in metrics}
    return found


def by_positive(protocol: Protocol, positive_class: PositiveClass) -> Protocol:
    """The protocol with another positive class."""
    return replace(protocol, positive_class=positive_class)
