"""The figures of studies: a forest of differences, and a matrix of figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from bustle.report.plots import ACCENT, INK, SOFT, STYLE


class ForestLine(NamedTuple):
    """One line of a forest plot: a name, a difference and its interval."""

    name: str
    difference: float
    ci95: tuple[float, float] | None


@mpl.rc_context(STYLE)
def forest_figure(lines: Sequence[ForestLine], *, title: str) -> Figure:
    """Differences with their intervals, the first line on top, and a line where there is none."""
    figure = Figure(figsize=(7.4, 0.9 + 0.27 * len(lines)))
    axes = figure.subplots()
    axes.axvline(0, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    for place, line in enumerate(reversed(lines)):
        if line.ci95 is not None:
            axes.plot(line.ci95, [place, place], color=ACCENT, linewidth=1.6)
        axes.plot([line.difference], [place], "s", color=INK, markersize=4)
    axes.set_yticks(range(len(lines)), [line.name for line in reversed(lines)], fontsize=8)
    axes.set(xlabel=title, ylim=(-0.6, len(lines) - 0.4))
    return figure
