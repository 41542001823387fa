"""Printed costs of networks and trainings beside what is counted or was measured here."""

from __future__ import annotations

from collections.abc import Sequence

from bustle.core.published import PublishedNumber
from bustle.evaluation.reproduction import OwnFigure, ReproducedFigure
from bustle.evaluation.results import RunResult
from bustle.experiments.reproduction.printed_rows import PrintedRow
from bustle.models.counts import Counts, shipped_counts

MEASURED = "training time per epoch"
"""The cost that is that of a training; all others are counted."""


def counted_figures(row: PrintedRow, *, trained: Sequence[RunResult | None]) -> list[ReproducedFigure]:
    """Parameters and operations of the recipe's own network, and the minutes of an epoch of its trainings."""
    name = row.recipes[0].partition("@")[0] if row.recipes else ""
    counts = shipped_counts().get(name)
    costs = [number for number in row.numbers if number.task == "cost"]
    if costs:
        return [_printed(number, counts=counts, trained=trained) for number in costs]
    if counts is None:
        return []
    return [
        _figure("parameters", "million", counts.params / 1e6),
        _figure("multiply-accumulates", "10^9", counts.gmacs),
    ]


def _printed(
    number: PublishedNumber, *, counts: Counts | None, trained: Sequence[RunResult | None]
) -> ReproducedFigure:
    own = None
    if number.metric == MEASURED:
        own = _minutes_of_epoch(trained)
    elif counts is not None:
        by_metric = {
            "trainable parameters": counts.params,
            "parameters": counts.params / 1e6,
            "FLOPs": counts.gmacs,
        }
        own = by_metric.get(number.metric)
    return ReproducedFigure(
        metric=number.metric,
        unit=number.unit,
        published=number.mean,
        published_sd=number.sd,
        note=number.note,
        as_published=None if own is None else _own(own, counted=number.metric != MEASURED),
        strict=None,
    )


def _figure(metric: str, unit: str, value: float) -> ReproducedFigure:
    return ReproducedFigure(
        metric=metric,
        unit=unit,
        published=None,
        published_sd=None,
        note="",
        as_published=_own(value, counted=True),
        strict=None,
    )


def _own(value: float, *, counted: bool) -> OwnFigure:
    return OwnFigure(mean=value, sd=None, ci95=None, n=1, values=(value,), counted=counted)


def _minutes_of_epoch(trained: Sequence[RunResult | None]) -> float | None:
    folds = [fold for result in trained if result is not None for fold in result.folds]
    epochs = sum(fold.epochs for fold in folds)
    return sum(fold.training_seconds for fold in folds) / epochs / 60 if epochs else None
