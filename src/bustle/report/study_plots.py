"""The figures of studies: a forest of differences, and a matrix of figures."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from bustle.report.plots import ACCENT, INK, SOFT, STYLE

_LONGEST_NAME = 40
"""Characters in a line of a forest's name, more than which leave no room for the forest."""


class ForestLine(NamedTuple):
    """One line of a forest plot: a name, a difference and its interval."""

    name: str
    difference: float
    ci95: tuple[float, float] | None


@mpl.rc_context(STYLE)
def forest_figure(lines: Sequence[ForestLine], *, title: str) -> Figure:
    """Differences with their intervals, the first line on top, and a line where there is none."""
    names = [textwrap.fill(line.name, _LONGEST_NAME, break_on_hyphens=False) for line in reversed(lines)]
    figure = Figure(figsize=(7.4, 0.9 + 0.27 * sum(1 + 0.6 * name.count("\n") for name in names)))
    axes = figure.subplots()
    axes.axvline(0, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    for place, line in enumerate(reversed(lines)):
        if line.ci95 is not None:
            axes.plot(line.ci95, [place, place], color=ACCENT, linewidth=1.6)
        axes.plot([line.difference], [place], "s", color=INK, markersize=4)
    axes.set_yticks(range(len(lines)), names, fontsize=8)
    axes.set(xlabel=title, ylim=(-0.6, len(lines) - 0.4))
    return figure


@mpl.rc_context(STYLE)
def matrix_figure(
    values: Mapping[tuple[str, str], float | None], *, rows: Sequence[str], columns: Sequence[str]
) -> Figure:
    """A heat map of fractions by row and column, each with its number; what is not known is left white."""
    figure = Figure(figsize=(1.6 + 1.1 * len(columns), 0.9 + 0.5 * len(rows)))
    axes = figure.subplots()
    table = np.array([[_number(values.get((row, column))) for column in columns] for row in rows])
    axes.imshow(table, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    axes.grid(visible=False)
    for place, line in enumerate(table):
        for at, value in enumerate(line):
            if not np.isnan(value):
                colour = "white" if value < 0.6 else "black"
                axes.text(at, place, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(columns)), list(columns))
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(xlabel="tested on", ylabel="trained on")
    return figure


def _number(value: float | None) -> float:
    return np.nan if value is None else value
