"""`report.html` of a training run: the evaluation of all folds' cases together, every fold, and learning curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bustle.core.learning_curve import LearningCurve
from bustle.core.tracks import Tracks
from bustle.evaluation.metrics import CATALOGUES, Metric
from bustle.evaluation.results import FoldEstimate, FoldFigures, OverFolds
from bustle.report.appendix import Partition
from bustle.report.evaluation_page import ReportedTracks, page_content
from bustle.report.page import write_page
from bustle.report.page_plots import Plot, can_draw_plots
from bustle.report.wording import SPREADS

PANELS = {"Loss": ("train_loss", "val_loss"), "Validation": ("val_dice", "val_auc", "val_clear")}


class FoldLine(NamedTuple):
    """One metric: its value in every fold, and the mean and spread over them."""

    metric: Metric
    entry: FoldEstimate


class FoldTable(NamedTuple):
    title: str
    lines: list[FoldLine]


@dataclass(frozen=True)
class FoldCurves:
    """How a fold was trained: its last stage, and by name those before it."""

    last_stage: LearningCurve
    earlier_stages: Mapping[str, LearningCurve]


def write_run_page(
    path: Path,
    reported: ReportedTracks,
    *,
    curves: Mapping[int, FoldCurves],
    over_folds: Tracks[OverFolds],
    partition: Partition,
) -> None:
    """Write the page: as `write_evaluation_page` for the pooled cases, with the folds' own figures before it.

    `curves` are those of each fold, by its number, `partition` is how the cases were divided.
    """
    tables = []
    for result, spread in zip(reported.results.each, over_folds.each, strict=True):
        tables += _tables(spread, track=result.track)
    named: dict[str, LearningCurve] = {}
    for number, fold in curves.items():
        named |= {f"fold {number}, stage {stage}": curve for stage, curve in fold.earlier_stages.items()}
        named[f"fold {number}"] = fold.last_stage
    spreads = reported.protocols.map(lambda protocol: SPREADS[protocol.spread])
    write_page(
        path,
        "run.html",
        folds=list(curves),
        spread=spreads.main,
        companion_spread=spreads.companion,
        fold_tables=tables,
        curves=_learning_curves(named),
        **page_content(reported, partition=partition),
    )


def _tables(over_folds: OverFolds, *, track: str) -> list[FoldTable]:
    """One table for all data, and one per source where there are several, as papers print them."""
    tables = [FoldTable(f"{track}, all data", _lines(over_folds))]
    sources = over_folds.by_source
    if len(sources) > 1:
        tables += [FoldTable(f"{track}, {source}", _lines(part)) for source, part in sources.items()]
    return [table for table in tables if table.lines]


def _lines(figures: FoldFigures) -> list[FoldLine]:
    return [
        FoldLine(metric, entries[name])
        for part, catalogue in CATALOGUES.items()
        if (entries := figures.estimates(part))
        for name, metric in catalogue.items()
        if entries[name].mean is not None
    ]


def _learning_curves(named: Mapping[str, LearningCurve]) -> list[Plot]:
    """Losses and validation scores over the epochs, as far as they were logged."""
    if not can_draw_plots():
        return []
    from bustle.report import plots

    logged = {name for curve in named.values() for row in curve for name, value in row.items() if value is not None}
    found = []
    for title, wanted in PANELS.items():
        present = [name for name in wanted if name in logged]
        if present:
            figure = plots.curves_figure(named, columns=present)
            found.append(Plot(f"{title} over the epochs", plots.as_svg_uri(figure)))
    return found
