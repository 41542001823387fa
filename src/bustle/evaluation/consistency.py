"""Whether a method's class and outline agree: the `consistency` part of `metrics.json`.

It asks what the method says, not whether it is right, so the truth plays no part. CTG-Net's authors name both
contradictions as what their network still does wrong (Yang et al. 2022, limitations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.figures import Estimates
from bustle.evaluation.metrics import CONSISTENCY
from bustle.evaluation.statistics import GroupResamples, mean_over_cases, weighted_means

NORMAL = "normal"


def summarise_consistency(
    rows: Sequence[CaseRow], *, resamples: GroupResamples, classes: Sequence[str]
) -> Estimates | None:
    """Rates of `CONSISTENCY` with their counts. None where nothing can contradict.

    `count` of the `n` cases that the rate concerns; without a class `normal` the first concerns none.
    """
    table = np.array([contradictions(row, classes) for row in rows])
    if np.isnan(table).all():
        return None
    resampled = weighted_means(table, weights=resamples.weights)
    return {
        name: replace(
            mean_over_cases(table[:, column], groups=resamples.groups, resampled=resampled[:, column], metric=metric),
            count=int(np.nansum(table[:, column])),
        )
        for column, (name, metric) in enumerate(CONSISTENCY.items())
    }


def contradictions(row: CaseRow, classes: Sequence[str]) -> list[float]:
    """The values of `CONSISTENCY`: 1 a contradiction, 0 agreement, NaN where it does not concern the case.

    A case of a class that the method does not know is left out: a two-class method cannot call it normal.
    """
    foreign = row.label is not None and row.label not in classes
    if row.decision is None or row.prediction_empty is None or foreign:
        return [np.nan, np.nan]
    if row.decision == NORMAL:
        return [float(not row.prediction_empty), np.nan]
    return [np.nan, float(row.prediction_empty)]
