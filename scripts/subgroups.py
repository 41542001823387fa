"""The figures of an evaluation by source, device, BI-RADS, burned-in marks and size of the lesion.

`python scripts/subgroups.py EVALUATION... --data SPEC... --json FILE`: EVALUATION is a folder of `bustle evaluate` or
folds of a run, `--data` what it was made on; `--answers` looks at the answers instead of the network's own outputs.
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
from bustle.evaluation.subgroups import known_kinds, subgroups
from bustle.evaluation.summary import Scoring
from bustle.inference.decision import BENIGN, MALIGNANT, NORMAL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evaluations", type=Path, nargs="+", metavar="EVALUATION")
    parser.add_argument("--answers", action="store_true")
    parser.add_argument("--data", nargs="+", required=True, metavar="SPEC")
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    folders = [ScoredFolder(evaluation) for evaluation in arguments.evaluations]
    tables = [folder.answers if arguments.answers else folder.main.cases for folder in folders]
    rows = [row for table in tables for row in read_cases(table)]
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


def _told(cases: list[Case], key: str) -> Mapping[str, str]:
    return {case.case_id: str(case.metadata[key]) for case in cases if case.metadata.get(key) is not None}


def _without_letter(category: str) -> str:
    """4a, 4b and 4c are 4."""
    found = re.match(r"\d", category)
    return found.group() if found else category


def _has_marks(case: Case) -> bool:
    return bool(np.any(marks_in(to_grey(case.load().image))))


if __name__ == "__main__":
    main()
