"""The page of a reproduced table or figure: printed and own figures side by side, and the figure's own plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.reproduction import Reproduction
from bustle.report.page import write_page
from bustle.report.page_plots import Plot, can_draw_plots
from bustle.report.reproduction_wording import DIFFERS, as_published, legend, method, notes, printed, strict

POSITIVE = "malignant"


def write_reproduction_page(path: Path, found: Reproduction, *, curves: Mapping[str, Sequence[CaseRow]]) -> None:
    """`curves` are the classified cases of every method of a figure of ROC curves."""
    write_page(
        path,
        "reproduction.html",
        found=found,
        legend=legend(found),
        notes=notes(found.rows),
        method=method,
        printed=printed,
        as_published=as_published,
        strict=strict,
        differs=DIFFERS,
        plots=_plots(found, curves),
    )


def _plots(found: Reproduction, curves: Mapping[str, Sequence[CaseRow]]) -> list[Plot]:
    if not can_draw_plots():
        return []
    from bustle.report.comparison_plots import roc_curves_figure
    from bustle.report.plots import as_svg_uri
    from bustle.report.reproduction_plots import sweep_figure

    smoke = " (smoke)" if found.smoke else ""
    plots = []
    for dataset, metric in _swept(found):
        figure = sweep_figure(found, dataset=dataset, metric=metric)
        if figure is not None:
            plots.append(Plot(f"{metric} on {dataset}{smoke}", as_svg_uri(figure)))
    if curves:
        classes = {row.label for rows in curves.values() for row in rows}
        positive = POSITIVE if POSITIVE in classes else "lesion"
        figure = roc_curves_figure(curves, positive_class=positive, areas=dict.fromkeys(curves))
        plots.append(Plot(f"ROC curves as published{smoke}", as_svg_uri(figure)))
    return plots


def _swept(found: Reproduction) -> list[tuple[str, str]]:
    """Data sets and metrics of which a sweep has figures."""
    if found.sweep is None:
        return []
    pairs = [
        (row.dataset, figure.metric)
        for row in found.rows
        for figure in row.figures
        if len(row.recipes) == 1 and (figure.as_published or figure.strict)
    ]
    return list(dict.fromkeys(pairs))
