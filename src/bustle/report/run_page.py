"""`report.html` of a training run: the evaluation of all folds' cases together, every fold, and learning curves."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bustle.core.run_layout import FoldLayout
from bustle.core.tracks import Tracks
from bustle.evaluation.metrics import CATALOGUES, Metric
from bustle.evaluation.results import FoldEstimate, FoldFigures, OverFolds
from bustle.report import plots
from bustle.report.evaluation_page import Plot, ReportedTracks, page_content
from bustle.report.page import write_page
from bustle.report.wording import SPREADS

Row = Mapping[str, Any]
PANELS = {"Loss": ("train_loss", "val_loss"), "Validation": ("val_dice", "val_auc", "val_clear")}


class FoldLine(NamedTuple):
    """One metric: its value in every fold, and the mean and spread over them."""

    metric: Metric
    entry: FoldEstimate


class FoldTable(NamedTuple):
    title: str
    lines: list[FoldLine]


def write_run_page(
    path: Path, reported: ReportedTracks, *, folds: Sequence[FoldLayout], over_folds: Tracks[OverFolds]
) -> None:
    """Write the page: as `write_evaluation_page` for the pooled cases, with the folds' own figures before it.

    The learning curves come from each fold's own files.
    """
    tables = []
    for result, spread in zip(reported.results.each, over_folds.each, strict=True):
        tables += _tables(spread, track=result.track)
    histories: dict[str, Sequence[Row]] = {}
    for fold in folds:
        earlier = read_stage_histories(fold)
        histories |= {f"fold {fold.number}, stage {stage}": rows for stage, rows in earlier.items()}
        histories[f"fold {fold.number}"] = read_history(fold.history)
    spreads = reported.protocols.map(lambda protocol: SPREADS[protocol.spread])
    write_page(
        path,
        "run.html",
        folds=[fold.number for fold in folds],
        spread=spreads.main,
        companion_spread=spreads.companion,
        fold_tables=tables,
        curves=_learning_curves(histories),
        **page_content(reported),
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


def read_history(path: Path) -> list[dict[str, float | None]]:
    """The rows of a fold's `metrics.csv`, one per epoch; empty where there is none."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as handle:
        return [
            {name: float(value) if value else None for name, value in row.items()} for row in csv.DictReader(handle)
        ]


def read_stage_histories(fold: FoldLayout) -> dict[str, list[dict[str, float | None]]]:
    """The rows of the stages before the last one, by the stage's name; empty for a fold of one training."""
    stages = [stage for stage in fold.earlier_stages() if stage.history.exists()]
    return {stage.path.name: read_history(stage.history) for stage in stages}


def _learning_curves(histories: Mapping[str, Sequence[Row]]) -> list[Plot]:
    """Losses and validation scores over the epochs, as far as they were logged."""
    logged = {name for rows in histories.values() for row in rows for name, value in row.items() if value is not None}
    found = []
    for title, wanted in PANELS.items():
        present = [name for name in wanted if name in logged]
        if present:
            figure = plots.curves_figure(histories, columns=present)
            found.append(Plot(f"{title} over the epochs", plots.as_svg_uri(figure)))
    return found
