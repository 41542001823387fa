"""Printed costs of networks and trainings beside what is counted or was measured here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bustle.core.published import PublishedNumber
from bustle.evaluation.reproduction import OwnFigure, ReproducedFigure, Trainings
from bustle.evaluation.results import RunResult
from bustle.experiments.reproduction.printed_rows import PrintedRow
from bustle.models.counts import Counts, shipped_counts


def counted_figures(
    row: PrintedRow, *, trained: Sequence[Sequence[RunResult]], wanted: int
) -> list[ReproducedFigure]:
    """Parameters and operations of the recipe's own network, and the minutes of an epoch of its trainings.

    These are `trained` by the paper's protocol, `wanted` in number; the minutes of several recipes add up.
    """
    name = row.recipes[0].partition("@")[0] if row.recipes else ""
    counts = shipped_counts().get(name)
    costs = [number for number in row.numbers if number.task == "cost"]
    if costs:
        return [_printed(number, counts=counts, trained=trained, wanted=wanted) for number in costs]
    if counts is None:
        return []
    return [
        _figure("parameters", "million", counts.params / 1e6),
        _figure("multiply-accumulates", "10^9", counts.gmacs),
    ]


def _printed(
    number: PublishedNumber, *, counts: Counts | None, trained: Sequence[Sequence[RunResult]], wanted: int
) -> ReproducedFigure:
    own = None
    if number.metric == "training time per epoch":
        own = _minutes_of_epoch(trained, wanted=wanted)
    elif counts is not None:
        by_metric = {
            "trainable parameters": counts.params,
            "parameters": counts.params / 1e6,
            "FLOPs": counts.gmacs,
        }
        own = _counted(by_metric[number.metric]) if number.metric in by_metric else None
    return ReproducedFigure(
        metric=number.metric,
        unit=number.unit,
        published=number.mean,
        published_sd=number.sd,
        note=number.note,
        as_published=own,
        strict=None,
    )


def _figure(metric: str, unit: str, value: float) -> ReproducedFigure:
    return ReproducedFigure(
        metric=metric,
        unit=unit,
        published=None,
        published_sd=None,
        note="",
        as_published=_counted(value),
        strict=None,
    )


def _counted(value: float) -> OwnFigure:
    return OwnFigure(mean=value, sd=None, ci95=None, n=1, values=(value,), repeats=(), trainings=None)


def _minutes_of_epoch(trained: Sequence[Sequence[RunResult]], *, wanted: int) -> OwnFigure | None:
    """None unless every recipe has a training."""
    folds = [[fold for result in results for fold in result.folds] for results in trained]
    if not folds or not all(sum(fold.epochs for fold in own) for own in folds):
        return None
    minutes = sum(sum(fold.training_seconds for fold in own) / sum(fold.epochs for fold in own) for own in folds) / 60
    return replace(_counted(minutes), trainings=Trainings(finished=sum(map(len, folds)), wanted=wanted))
