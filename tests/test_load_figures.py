"""What the page's documentation says of twenty people at once is what was measured."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_figures_of_the_load_are_those_beside_them():
    page = (ROOT / "docs" / "how-to" / "page.md").read_text(encoding="utf-8")
    measured = json.loads((ROOT / "results" / "benchmarks" / "page_load.json").read_text(encoding="utf-8"))
    assert not measured["tiny"]
    for row in measured["rows"]:
        limit = float(row["goal"].rpartition(" within ")[2].removesuffix(" s"))
        assert f"| {limit / row['ratio']['median']:.2g} s | {limit / row['ratio']['min']:.2g} s |" in page, row[
            "goal"
        ]
