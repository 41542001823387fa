"""Whether answers keep what they promise: the `answers` part of `metrics.json`, beside the network's own figures.

The outlines and calibrated probabilities of the answers are scored as those of the network are; what only an answer
has, such as the classes that it leaves possible, is counted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.consistency import NORMAL
from bustle.evaluation.figures import AnswerFigures, Estimates
from bustle.evaluation.metrics import ANSWERS
from bustle.evaluation.statistics import mean_over_cases, weighted_means
from bustle.evaluation.summary import Scoring, summarise_cases

NO_LESION, NO_ULTRASOUND = "no lesion", "no breast ultrasound"

OPEN = ("refer", "lesion possible", NO_ULTRASOUND)
"""The answers that leave the case to a person."""


def summarise_answers(rows: Sequence[CaseRow], *, scoring: Scoring) -> AnswerFigures | None:
    """The figures of rows that were scored by their answers; None without any."""
    if not rows:
        return None
    named = [replace(row, decision=_class_of(row.decision)) for row in rows]
    whole = summarise_cases(named, scoring=scoring)
    return AnswerFigures(
        **{f.name: getattr(whole, f.name) for f in fields(whole)}, estimates=promises(rows, scoring=scoring)
    )


def _class_of(decision: str | None) -> str | None:
    """What consistency compares with the outline: a class, normal without a lesion, None of other pictures."""
    if decision == NO_ULTRASOUND:
        return None
    return NORMAL if decision == NO_LESION else decision


def promises(rows: Sequence[CaseRow], *, scoring: Scoring) -> Estimates:
    """The metrics of `ANSWERS` of rows that were scored by their answers."""
    resamples = scoring.resample(rows)
    table = np.array([_values(row) for row in rows])
    resampled = weighted_means(table, weights=resamples.weights)
    return {
        name: replace(
            mean_over_cases(table[:, column], groups=resamples.groups, resampled=resampled[:, column], metric=metric),
            count=int(np.nansum(table[:, column])),
        )
        for column, (name, metric) in enumerate(ANSWERS.items())
    }


def _values(row: CaseRow) -> list[float]:
    """The values of `ANSWERS`, NaN where one does not concern the case."""
    possible = set(filter(None, (row.possible or "").split("|")))
    lesion_possible = bool(possible - {NORMAL})
    is_open = row.decision in OPEN
    wrong = lesion = normal = label = np.nan
    if row.label is not None and not is_open:
        wrong = float(row.decision != (NO_LESION if row.label == NORMAL else row.label))
    has_lesion = row.label != NORMAL if row.label is not None else None
    if has_lesion is None and row.truth_empty is not None:
        has_lesion = not row.truth_empty
    if has_lesion is True:
        lesion = float(lesion_possible)
        if row.label is not None and lesion_possible:
            label = float(row.label in possible)
    if has_lesion is False:
        normal = float(NORMAL in possible)
    return [float(is_open), wrong, lesion, normal, label]
