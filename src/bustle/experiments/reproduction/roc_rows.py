"""The classified test cases behind a figure of ROC curves."""

from __future__ import annotations

from pathlib import Path

from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.class_summary import has_class_result
from bustle.experiments.reproduction.given_data import GivenData
from bustle.experiments.reproduction.items import Item
from bustle.experiments.reproduction.runs import Settings, runs_of, work_of
from bustle.experiments.study_runs import pooled_rows


def rows_of_curves(item: Item, given: GivenData, *, out: Path, settings: Settings) -> dict[str, list[CaseRow]]:
    """By method, of the first repeat as published; nothing of an item that shows no ROC curves."""
    found: dict[str, list[CaseRow]] = {}
    if item.name not in item.block.roc:
        return found
    for work in work_of(item, given):
        for run in runs_of(work, item, settings=settings)[:1]:
            rows = pooled_rows(run.layout(out))
            classified = [row for row in rows if has_class_result(row, tuple(row.probabilities))]
            if classified:
                found[work.row.method] = classified
    return found
