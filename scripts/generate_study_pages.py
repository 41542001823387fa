"""Writes the tables and figures of docs/reference/leakage.md and generalisation.md anew; run it after a change.

A table stands between `<!-- table NAME -->`, which is `results/PAGE/NAME.json`, and `<!-- end of table -->`; the
words around it are written by hand. The figures are `docs/reference/PAGE-METRIC.svg`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.core.config import from_mapping
from bustle.core.files import read_json, write_bytes, write_text
from bustle.evaluation.generalisation import TITLES, Generalisation
from bustle.evaluation.inflation import METRICS, LeakageStudy
from bustle.report.leakage_page import metric_title
from bustle.report.wording import short_figure, signed_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
PAGES = ROOT / "docs" / "reference"
TABLE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
TRAINED = "trained"
DATA = {
    "without-busi-test": "BUSI",
    "without-busbra-on-busbra": "BUS-BRA",
    "busi": "BUSI",
    "bus-bra": "BUS-BRA",
    "breast": "BrEaST",
}


def render(page: str) -> str:
    def table(found: re.Match[str]) -> str:
        return f"{found[1]}{TABLES[page](found[2])}{found[3]}"

    return TABLE.sub(table, (PAGES / f"{page}.md").read_text(encoding="utf-8"))


def leakage_study(name: str) -> LeakageStudy:
    return from_mapping(LeakageStudy, read_json(RESULTS / "leakage" / f"{name}.json"), where=name)


def generalisation(name: str) -> Generalisation:
    return from_mapping(Generalisation, read_json(RESULTS / "generalisation" / f"{name}.json"), where=name)


def _flaws(name: str) -> str:
    rows = []
    for result in leakage_study(name).results:
        cells = dict.fromkeys(METRICS, "")
        for figure in result.figures:
            value = signed_number(figure.difference, figure.unit)
            bounds = [signed_number(bound, figure.unit) for bound in figure.ci95 or ()]
            cells[figure.metric] = f"{value} [{', '.join(bounds)}]" if bounds else value
        rows.append([result.title, DATA[result.source], *cells.values()])
    return _table(["flaw", "data", *map(metric_title, METRICS)], rows)


def _matrix(name: str) -> str:
    rows = []
    for cell in generalisation(name).cells:
        figures = ["–" if found is None else short_figure(found) for found in map(cell.figures.get, TITLES)]
        tested = DATA[cell.tested_on] + (", at home" if cell.at_home else "")
        trained = " + ".join(DATA[source] for source in cell.trained_on)
        rows.append([trained, tested, f"{cell.n} ({cell.lesions})", *figures])
    return _table(["trained on", "tested on", "cases (lesions)", *TITLES.values()], rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


TABLES: Mapping[str, Callable[[str], str]] = {"leakage": _flaws, "generalisation": _matrix}


def figures(page: str) -> list[tuple[str, Figure]]:
    """Those that the page shows, by metric."""
    from bustle.report.generalisation_page import heat_maps
    from bustle.report.leakage_page import forests

    found = forests(leakage_study(TRAINED)) if page == "leakage" else heat_maps(generalisation(TRAINED))
    words = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return [(metric, figure) for metric, figure in found if f"({page}-{metric}.svg)" in words]


if __name__ == "__main__":
    from bustle.report.plots import as_svg

    for page in TABLES:
        write_text(PAGES / f"{page}.md", render(page))
        for metric, figure in figures(page):
            write_bytes(PAGES / f"{page}-{metric}.svg", as_svg(figure))
