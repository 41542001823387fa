"""The plot of a swept setting: what is printed and ours along the setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from bustle.evaluation.reproduction import OwnFigure, ReproducedFigure, Reproduction
from bustle.report.plots import FOLD_COLOURS, INK, STYLE, empty_figure


class _Point(NamedTuple):
    at: float
    mean: float
    spread: float


@mpl.rc_context(STYLE)
def sweep_figure(found: Reproduction, *, dataset: str, metric: str) -> Figure | None:
    """Lines of the sweep with their spread: ours as published full, strict dashed, printed as diamonds.

    None where no recipe of the sweep has the metric.
    """
    if found.sweep is None:
        return None
    figure, (axes,) = empty_figure()
    drawn = False
    for number, (name, places) in enumerate(found.sweep.lines.items()):
        colour = FOLD_COLOURS[number % len(FOLD_COLOURS)]
        figures = _figures(found, dataset=dataset, metric=metric)
        own = {recipe: figures[recipe] for recipe in places if recipe in figures}
        placed = [(places[recipe], each) for recipe, each in own.items()]
        published = _points([(at, each.as_published) for at, each in placed])
        strict = _points([(at, each.strict) for at, each in placed])
        printed = [_Point(at, each.published, each.published_sd or 0) for at, each in placed if each.published]
        for points, style, title in (
            (published, "-o", f"{name}, as published (ours)"),
            (strict, "--s", f"{name}, strict (ours)"),
        ):
            if points:
                drawn = True
                across, upwards, spread = zip(*points, strict=True)
                axes.errorbar(across, upwards, yerr=spread, fmt=style, color=colour, capsize=3, label=title)
        if printed:
            across, upwards, spread = zip(*printed, strict=True)
            axes.errorbar(across, upwards, yerr=spread, fmt="D", color=INK, capsize=3, label=f"{name}, printed")
    axes.set(xlabel=found.sweep.axis, ylabel=metric)
    if drawn:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=6)
    return figure if drawn else None


def _figures(found: Reproduction, *, dataset: str, metric: str) -> dict[str, ReproducedFigure]:
    return {
        row.recipes[0].partition("@")[0]: figure
        for row in found.rows
        for figure in row.figures
        if len(row.recipes) == 1 and (row.dataset, figure.metric) == (dataset, metric)
    }


def _points(found: Sequence[tuple[float, OwnFigure | None]]) -> list[_Point]:
    return [_Point(at, figure.mean, figure.sd or 0.0) for at, figure in found if figure is not None]
