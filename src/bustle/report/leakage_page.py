"""The page of the leakage study: a table and a forest plot of every figure's inflation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.evaluation.inflation import METRICS, FlawResult, Inflation, LeakageStudy
from bustle.evaluation.metrics import CLASSIFICATION, SEGMENTATION
from bustle.report.page import write_page
from bustle.report.page_plots import Plot, can_draw_plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def metric_title(name: str) -> str:
    """Of the mask metrics, and of those of the classes."""
    return (SEGMENTATION | CLASSIFICATION)[name].title


def write_leakage_page(path: Path, study: LeakageStudy) -> None:
    write_page(
        path,
        "leakage.html",
        study=study,
        metrics={name: metric_title(name) for name in METRICS},
        lines=[(result, {figure.metric: figure for figure in result.figures}) for result in study.results],
        plots=_plots(study),
    )


def _plots(study: LeakageStudy) -> list[Plot]:
    if not can_draw_plots():
        return []
    from bustle.report.plots import as_svg_uri

    return [Plot(forest_title(name), as_svg_uri(figure)) for name, figure in forests(study)]


def forest_title(metric: str) -> str:
    unit = (SEGMENTATION | CLASSIFICATION)[metric].unit
    return f"{metric_title(metric)}: flawed less strict" + ("" if unit == "fraction" else f", in {unit}")


def forests(study: LeakageStudy) -> Iterator[tuple[str, Figure]]:
    """Of every metric that a flaw can touch its forest plot; needs Matplotlib."""
    from bustle.report.study_plots import ForestLine, forest_figure

    for name in METRICS:
        lines = [
            ForestLine(f"{result.title} ({result.source})", figure.difference, figure.ci95)
            for result, figure in _figures(study, name)
        ]
        if lines:
            yield name, forest_figure(lines, title=forest_title(name))


def _figures(study: LeakageStudy, metric: str) -> list[tuple[FlawResult, Inflation]]:
    return [(result, each) for result in study.results for each in result.figures if each.metric == metric]
