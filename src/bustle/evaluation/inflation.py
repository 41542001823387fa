"""By how much a flawed protocol raises a figure over the strict one, on the same patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bustle.core.provenance import Provenance
from bustle.core.recipe import Protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.class_summary import class_arrays, class_metrics, has_class_result
from bustle.evaluation.flaws import PositiveClass
from bustle.evaluation.metrics import CLASSIFICATION, DETECTION, SEGMENTATION
from bustle.evaluation.statistics import FEWEST_GROUPS, percentile_interval, weighted_means
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
        [_values(each, weights=weights[:, _groups(each.rows, group_of, number)], classes=classes) for each in side]
        for side in (strict, flawed)
    ]
    found = []
    for name in METRICS:
        if not all(name in one for side in values for one in side):
            continue
        before, after = (np.mean([one[name] for one in side], axis=0) for side in values)
        differences = after - before
        if not np.nan_to_num(differences).any():
            continue
        interval = percentile_interval(differences[1:]) if count >= FEWEST_GROUPS else None
        found.append(
            Inflation(
                metric=name,
                unit=(SEGMENTATION | CLASSIFICATION)[name].unit,
                strict=float(before[0]),
                flawed=float(after[0]),
                difference=float(differences[0]),
                ci95=interval,
                cases=len(flawed[0].rows),
                runs=len(flawed),
            )
        )
    return found


def _groups(rows: Sequence[CaseRow], group_of: Mapping[str, str], number: Mapping[str, int]) -> NDArray[np.int64]:
    return np.array([number[group_of[row.case_id]] for row in rows], np.int64)


def _values(judged: Judged, *, weights: FloatArray, classes: Sequence[str]) -> dict[str, FloatArray]:
    """Each metric in every row of `weights` `R x cases`."""
    rows = judged.rows
    means = weighted_means(mask_values(rows), weights=weights)
    found = {name: means[:, _MASK_COLUMNS.index(name)] for name in ("dice", "hd95_px")}
    found = {name: column for name, column in found.items() if not np.isnan(column[0])}
    used = [place for place, row in enumerate(rows) if has_class_result(row, classes)]
    positive = judged.protocol.positive_class
    if used and positive in classes:
        truth, probability = class_arrays([rows[place] for place in used], classes)
        with np.errstate(invalid="ignore"):
            metrics = class_metrics(
                truth,
                probability,
                positive=list(classes).index(positive),
                average=judged.protocol.class_average,
                weights=weights[:, used],
            )
        found |= {name: metrics[name] for name in METRICS if name in metrics}
    return found


def by_positive(protocol: Protocol, positive_class: PositiveClass) -> Protocol:
    """The protocol with another positive class."""
    return replace(protocol, positive_class=positive_class)
