"""The page of the generalisation matrix: heat maps, and every figure with its interval."""

from __future__ import annotations

from pathlib import Path

from bustle.evaluation.generalisation import TITLES, Generalisation
from bustle.report.page import write_page
from bustle.report.page_plots import Plot, can_draw_plots

MAPPED = ("dice", "auc", "missed_lesions", "ece_equal_mass_10")


def write_generalisation_page(path: Path, study: Generalisation) -> None:
    write_page(path, "generalisation.html", study=study, titles=TITLES, plots=_plots(study))


def _plots(study: Generalisation) -> list[Plot]:
    if not can_draw_plots():
        return []
    from bustle.report.plots import as_svg_uri
    from bustle.report.study_plots import matrix_figure

    rows = list(dict.fromkeys(" + ".join(cell.trained_on) for cell in study.cells))
    columns = list(dict.fromkeys(cell.tested_on for cell in study.cells))
    found = []
    for name in MAPPED:
        values = {
            (" + ".join(cell.trained_on), cell.tested_on): cell.figures[name].value
            for cell in study.cells
            if name in cell.figures
        }
        if values:
            figure = matrix_figure(values, rows=rows, columns=columns)
            found.append(Plot(TITLES[name], as_svg_uri(figure)))
    return found
