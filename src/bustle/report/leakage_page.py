"""The page of the leakage study: a table and a forest plot of every figure's inflation."""

from __future__ import annotations

from pathlib import Path

from bustle.evaluation.inflation import METRICS, FlawResult, Inflation, LeakageStudy
from bustle.evaluation.metrics import CLASSIFICATION, SEGMENTATION
from bustle.report.page import write_page
from bustle.report.page_plots import Plot, can_draw_plots


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
    from bustle.report.study_plots import ForestLine, forest_figure

    found = []
    for name in METRICS:
        lines = [
            ForestLine(f"{result.title} ({result.source})", figure.difference, figure.ci95)
            for result, figure in _figures(study, name)
        ]
        if lines:
            title = f"{metric_title(name)}: flawed less strict"
            found.append(Plot(title, as_svg_uri(forest_figure(lines, title=title))))
    return found


def _figures(study: LeakageStudy, metric: str) -> list[tuple[FlawResult, Inflation]]:
    return [(result, each) for result in study.results for each in result.figures if each.metric == metric]
