"""The page of the generalisation matrix: heat maps, and every figure with its interval."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.evaluation.generalisation import TITLES, Generalisation
from bustle.report.page import write_page
from bustle.report.page_plots import Plot, can_draw_plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAPPED = ("dice", "auc", "missed_lesions", "ece_equal_mass_10")


def write_generalisation_page(path: Path, study: Generalisation) -> None:
    write_page(path, "generalisation.html", study=study, titles=TITLES, plots=_plots(study))


def _plots(study: Generalisation) -> list[Plot]:
    if not can_draw_plots():
        return []
    from bustle.report.plots import as_svg_uri

    return [Plot(TITLES[name], as_svg_uri(figure)) for name, figure in heat_maps(study)]


def heat_maps(study: Generalisation) -> Iterator[tuple[str, Figure]]:
    """Of every metric that is mapped and known; needs Matplotlib."""
    from bustle.report.study_plots import matrix_figure

    rows = list(dict.fromkeys(" + ".join(cell.trained_on) for cell in study.cells))
    columns = list(dict.fromkeys(cell.tested_on for cell in study.cells))
    for name in MAPPED:
        values = {
            (" + ".join(cell.trained_on), cell.tested_on): cell.figures[name].value
            for cell in study.cells
            if name in cell.figures
        }
        if values:
            yield name, matrix_figure(values, rows=rows, columns=columns)
