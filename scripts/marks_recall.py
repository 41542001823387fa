"""In how many hand-marked images the audit finds the burned-in marks, and in how many clean ones it errs.

`python scripts/marks_recall.py DATA --json results/audit/marks.json`; DATA has the folders bus-bra and busi. The
marks were written down by eye for images drawn at random (`tests/data/audit/hand_marked.csv`): those of the part
`development` before the limits of the search were chosen, those of the part `report` afterwards.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from bustle.core.files import write_json
from bustle.data.audit.marks import marks_in
from bustle.data.relations.frame_features import to_grey
from bustle.data.sources import open_sources
from bustle.evaluation.statistics import exact_interval

HAND_MARKED = Path(__file__).parents[1] / "tests" / "data" / "audit" / "hand_marked.csv"


def measure(data: Path) -> dict[str, dict[str, dict[str, object]]]:
    """By part of the sample: in how many marked and how many clean images marks are found, and which are wrong."""
    collection = open_sources([f"bus-bra:{data / 'bus-bra'}", f"busi:{data / 'busi'}"])
    cases = {case.case_id: case for case in collection.cases}
    with HAND_MARKED.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["marks"] != "unsure"]
    found = {row["case_id"]: bool(marks_in(to_grey(cases[row["case_id"]].load().image)).any()) for row in rows}
    result: dict[str, dict[str, dict[str, object]]] = {}
    for part in ("development", "report"):
        own = [row for row in rows if row["part"] == part]
        result[part] = {
            "recall": _share([row["case_id"] for row in own if row["marks"] == "yes"], found, right=True),
            "false_alarms": _share([row["case_id"] for row in own if row["marks"] == "no"], found, right=False),
        }
    return result


def _share(names: Sequence[str], found: dict[str, bool], *, right: bool) -> dict[str, object]:
    hits = sum(found[name] for name in names)
    low, high = exact_interval(hits / len(names), n=len(names))
    wrong = [name for name in names if found[name] != right]
    return {"found": hits, "n": len(names), "share": hits / len(names), "ci95": [low, high], "wrong": wrong}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    chosen = parser.parse_args(arguments)
    result = measure(chosen.data)
    write_json(chosen.json, result)
    for part, figures in result.items():
        for name, share in figures.items():
            low, high = share["ci95"]  # type: ignore[misc]
            print(f"{part}: {name} {share['found']} of {share['n']} (95 % {low:.3f} to {high:.3f}); {share['wrong']}")


if __name__ == "__main__":
    main()
