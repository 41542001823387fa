"""What is remarkable about a scored case: by this galleries are chosen and tables filtered."""

from __future__ import annotations

from collections.abc import Sequence

from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.consistency import contradictions

MISSED = "lesion missed"
DRAWN_ON_NORMAL = "lesion drawn on a normal"
CLASS_ERROR = "wrong class"
CONTRADICTION = "class and outline disagree"
TRAITS = (MISSED, DRAWN_ON_NORMAL, CLASS_ERROR, CONTRADICTION)


def traits_of(row: CaseRow, *, classes: Sequence[str]) -> tuple[str, ...]:
    """Those of `TRAITS` that the case has, in that order."""
    scored = row.truth_empty is not None and row.prediction_empty is not None
    has = {
        MISSED: scored and not row.truth_empty and row.dice == 0,
        DRAWN_ON_NORMAL: scored and bool(row.truth_empty) and bool(row.false_positive_area),
        CLASS_ERROR: row.label in classes and row.decision in classes and row.decision != row.label,
        CONTRADICTION: 1 in contradictions(row, classes),
    }
    return tuple(trait for trait in TRAITS if has[trait])
