"""Fitting which parts of a network's mask are dropped, on cases whose outline is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from bustle.evaluation.paired import paired_t_test
from bustle.experiments.calibration_case import CalibrationCase
from bustle.inference.decided_outline import OutlineRule

FAINTEST_PARTS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)

SMALLEST_PARTS = (0.0, 0.05, 0.1, 0.2, 0.3)

ERRORS_BETTER = 2.0
"""By how many standard errors another rule must be better than the usual one: the best of thirty always seems so."""


def outlined_lesions(cases: Sequence[CalibrationCase]) -> list[CalibrationCase]:
    """Those of the cases with a true outline of which something may be drawn."""
    return [case for case in cases if case.true_area and case.parts]


def fit_outline(cases: Sequence[CalibrationCase], *, usual: OutlineRule) -> OutlineRule:
    """The rule with the highest mean Dice over the `outlined_lesions`, if that is more than chance; else `usual`.

    Chance is that of drawing other patients.
    """
    outlined = outlined_lesions(cases)
    _, groups = np.unique([case.group for case in outlined], return_inverse=True)
    if len(set(groups.tolist())) < 2:
        return usual
    rules = [
        OutlineRule(faintest_part=faint, smallest_part=small)
        for faint, small in product(FAINTEST_PARTS, SMALLEST_PARTS)
    ]
    dice = {rule: np.array([case.dice(rule) for case in outlined]) for rule in (usual, *rules)}
    best = max(rules, key=lambda rule: round(float(dice[rule].mean()), 9))
    gains = dice[best] - dice[usual]
    t = paired_t_test(gains, groups=groups).t  # None: all gain the same
    return best if gains.mean() > 0 and (t is None or t > ERRORS_BETTER) else usual
