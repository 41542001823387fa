"""Fitting which parts of a network's mask are dropped, on cases whose outline is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

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
    """The rule with the highest mean Dice over the `outlined_lesions`, if that is more than chance; else `usual`."""
    outlined = outlined_lesions(cases)
    if len(outlined) < 2:
        return usual
    rules = [
        OutlineRule(faintest_part=faint, smallest_part=small)
        for faint, small in product(FAINTEST_PARTS, SMALLEST_PARTS)
    ]
    before = _dice(outlined, usual)
    gains = [_dice(outlined, rule) - before for rule in rules]
    best = max(range(len(rules)), key=lambda place: round(float(gains[place].mean()), 9))
    error = float(gains[best].std(ddof=1)) / np.sqrt(len(outlined))
    return rules[best] if gains[best].mean() > ERRORS_BETTER * error else usual


def _dice(cases: Sequence[CalibrationCase], rule: OutlineRule) -> NDArray[np.float64]:
    values = []
    for case in cases:
        parts = case.kept_parts(rule)
        drawn, overlap = sum(part.area for part in parts), sum(part.overlap for part in parts)
        values.append(2 * overlap / (drawn + (case.true_area or 0)))
    return np.array(values)
