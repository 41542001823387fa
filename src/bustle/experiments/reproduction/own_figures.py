"""Our figures for a printed number, read from the summaries of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bustle.evaluation.figures import estimates_of
from bustle.evaluation.paired import pooled_t_test
from bustle.evaluation.reproduction import OwnFigure, Trainings
from bustle.evaluation.results import FoldFigures, RunResult
from bustle.evaluation.statistics import t95_interval
from bustle.experiments.reproduction.printed_metrics import HEADLINE, OwnMetric
from bustle.experiments.reproduction.printed_rows import Extreme


def own_figure(
    results: Sequence[RunResult], metric: OwnMetric, *, source: str, wanted: int, repeated_splits: bool = False
) -> OwnFigure | None:
    """Of the repeats of one run, by their own track; None where none of them has the metric.

    `wanted` counts the trainings of all repeats. The folds of one run are repeats where its protocol has
    `repeated_splits`.
    """
    trainings = Trainings(finished=sum(len(result.folds) for result in results), wanted=wanted)
    found = (_of_run(result, metric, source=source, trainings=trainings) for result in results)
    single = [figure for figure in found if figure is not None]
    if not single:
        return None
    if len(single) == 1:
        (only,) = single
        return replace(only, repeats=only.values) if repeated_splits else only
    spreads = [figure.sd for figure in single if figure.sd is not None]
    means = [figure.mean for figure in single]
    values = [value for figure in single for value in figure.values]
    return OwnFigure(
        mean=float(np.mean(means)),
        sd=float(np.mean(spreads)) if spreads else None,
        ci95=t95_interval(means),
        n=single[0].n,
        values=tuple(values),
        repeats=tuple(means),
        trainings=trainings,
    )


def _of_run(result: RunResult, metric: OwnMetric, *, source: str, trainings: Trainings) -> OwnFigure | None:
    over_folds: FoldFigures = result.over_folds.by_source.get(source, result.over_folds)
    pooled = result.pooled.by_source.get(source, result.pooled)
    name = metric.name.replace(HEADLINE, result.pooled.headline_distance)
    spread, cases = over_folds.estimates(metric.part), estimates_of(pooled, metric.part)
    if spread is None or cases is None:
        return None
    mean, sd = spread[name].mean, spread[name].sd
    bounds = cases[name].ci95 if metric.is_mean_over_cases else None
    if mean is None:
        return None
    return OwnFigure(
        mean=mean * metric.scale,
        sd=None if sd is None else sd * metric.scale,
        ci95=None if bounds is None else (bounds[0] * metric.scale, bounds[1] * metric.scale),
        n=spread[name].n,
        values=tuple(value * metric.scale for value in spread[name].folds if value is not None),
        repeats=(mean * metric.scale,),
        trainings=trainings,
    )


def extreme_of(figures: Sequence[OwnFigure | None], extreme: Extreme) -> OwnFigure | None:
    """The figure with the least or the greatest mean."""
    known = [figure for figure in figures if figure is not None]
    if not known:
        return None
    return (min if extreme == "least" else max)(known, key=lambda figure: figure.mean)


def p_reference_better(results: Sequence[OwnFigure | None], *, higher_is_better: bool) -> float | None:
    """LA-Net's one-sided t test that the first of two figures is better than the second.

    Over repeats, because folds of one run share most of their training cases; None unless all of them are complete.
    """
    first, second = results
    if first is None or second is None or not (first.is_complete and second.is_complete):
        return None
    tested = pooled_t_test(second.repeats, first.repeats, higher_is_better=higher_is_better)
    return None if tested is None else tested.p
