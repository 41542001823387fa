"""Writes the tables of docs/reference/leakage.md anew, from results/leakage; run it after a change.

A table stands between `<!-- table NAME -->`, which is `results/leakage/NAME.json`, and `<!-- end of table -->`; the
words around it are written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

from bustle.core.config import from_mapping
from bustle.core.files import read_json, write_text
from bustle.evaluation.inflation import METRICS, Inflation, LeakageStudy
from bustle.report.leakage_page import metric_title
from bustle.report.wording import signed_number

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "leakage"
PAGE = ROOT / "docs" / "reference" / "leakage.md"
TABLE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
DATA = {"without-busi-test": "BUSI", "without-busbra-on-busbra": "BUS-BRA", "busi": "BUSI", "bus-bra": "BUS-BRA"}


def render() -> str:
    return TABLE.sub(lambda found: f"{found[1]}{_table(found[2])}{found[3]}", PAGE.read_text(encoding="utf-8"))


def _table(name: str) -> str:
    study = from_mapping(LeakageStudy, read_json(RESULTS / f"{name}.json"), where=name)
    lines = [f"| flaw | data | {' | '.join(map(metric_title, METRICS))} |", f"|---|---|{'---|' * len(METRICS)}"]
    for result in study.results:
        figures = {figure.metric: figure for figure in result.figures}
        cells = [_cell(figures.get(metric)) for metric in METRICS]
        lines.append(f"| {result.title} | {DATA[result.source]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(figure: Inflation | None) -> str:
    if figure is None:
        return ""
    value = signed_number(figure.difference, figure.unit)
    if figure.ci95 is None:
        return value
    return f"{value} [{', '.join(signed_number(bound, figure.unit) for bound in figure.ci95)}]"


if __name__ == "__main__":
    write_text(PAGE, render())
