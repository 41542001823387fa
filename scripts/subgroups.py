"""The figures of an evaluation by source, device, BI-RADS, burned-in marks and size of the lesion.

`python scripts/subgroups.py EVALUATION --data SPEC... --json FILE`: EVALUATION is a folder of `bustle evaluate` or a
fold of a run, `--data` what it was made on. Prints the table for docs/reference/reference-model.md.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bustle.core.config import to_mapping
from bustle.core.files import write_json
from bustle.core.recipe import load_protocol
from bustle.core.run_layout import ScoredFolder
from bustle.core.types import Case
from bustle.data.audit.marks import marks_in
from bustle.data.relations.frame_features import to_grey
from bustle.data.sources import open_sources
from bustle.evaluation.case_table import read_cases
from bustle.evaluation.figures import ShortFigure, Subgroup
from bustle.evaluation.subgroups import known_kinds, subgroups
from bustle.evaluation.summary import Scoring
from bustle.inference.decision import BENIGN, MALIGNANT, NORMAL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("--data", nargs="+", required=True, metavar="SPEC")
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    rows = read_cases(ScoredFolder(arguments.evaluation).main.cases)
    scored = {row.case_id for row in rows}
    cases = [case for case in open_sources(arguments.data).cases if case.case_id in scored]
    kinds = known_kinds(rows) | {
        "device": _told(cases, "device"),
        "BI-RADS": {name: _without_letter(value) for name, value in _told(cases, "birads").items()},
        "burned-in marks": {case.case_id: "present" if _has_marks(case) else "absent" for case in cases},
    }
    scoring = Scoring(protocol=load_protocol("strict"), classes=(BENIGN, MALIGNANT, NORMAL))
    found = subgroups(rows, kinds=kinds, scoring=scoring)
    write_json(arguments.json, {"n_cases": len(rows), "subgroups": to_mapping(found)})
    print("| | cases (malignant) | Dice | lesions missed | AUC |\n|---|---|---|---|---|")
    for group in found:
        print(_line(group))


def _told(cases: list[Case], key: str) -> Mapping[str, str]:
    return {case.case_id: str(case.metadata[key]) for case in cases if case.metadata.get(key) is not None}


def _without_letter(category: str) -> str:
    """4a, 4b and 4c are 4."""
    found = re.match(r"\d", category)
    return found.group() if found else category


def _has_marks(case: Case) -> bool:
    return bool(np.any(marks_in(to_grey(case.load().image))))


def _line(group: Subgroup) -> str:
    figures = " | ".join(_words(figure) for figure in (group.dice, group.missed_lesions, group.auc))
    return f"| {group.kind}: {group.name} | {group.n} ({group.n_malignant}) | {figures} |"


def _words(figure: ShortFigure) -> str:
    if figure.value is None:
        return "–"
    bounds = "" if figure.ci95 is None else f" [{figure.ci95[0]:.3f}, {figure.ci95[1]:.3f}]"
    return f"{figure.value:.3f}{bounds}"


if __name__ == "__main__":
    main()
