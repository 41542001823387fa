"""One page of an acceptance test, to be printed and signed."""

from __future__ import annotations

from pathlib import Path

from bustle.evaluation.acceptance import LIMITED, Verdict
from bustle.evaluation.acceptance_file import Acceptance
from bustle.report.page import write_page

PARTS = {
    "segmentation": "outlines",
    "classification": "classes",
    "consistency": "agreement of outline and class",
    "answers": "answers",
}
WORDS: dict[Verdict, str] = {
    "pass": "All limits are kept.",
    "fail": "At least one limit is broken.",
    "not enough cases": "No limit is broken, but the cases are too few to prove all of them.",
}


def write_acceptance_page(path: Path, acceptance: Acceptance, *, report: str) -> None:
    """Write the page; `report` is the evaluation's own page, relative to it."""
    lines = [(PARTS[each.part], LIMITED[each.part][each.metric], each) for each in acceptance.limits]
    write_page(path, "acceptance.html", test=acceptance, words=WORDS[acceptance.verdict], lines=lines, report=report)
