"""Fitting what of a network's lesion map is drawn, on cases whose outline is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from bustle.experiments.calibration_case import DRAWN_ABOVE, CalibrationCase
from bustle.inference.decided_outline import OutlineRule

FAINTEST_PARTS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)

SMALLEST_PARTS = (0.0, 0.05, 0.1, 0.2, 0.3)


def outlined_lesions(cases: Sequence[CalibrationCase]) -> list[CalibrationCase]:
    """Those of the cases with a true outline of which something may be drawn."""
    return [case for case in cases if case.true_area and case.parts(OutlineRule())]


def fit_outline(cases: Sequence[CalibrationCase]) -> OutlineRule:
    """The rule with the highest mean Dice over the `outlined_lesions`; of equals the one that changes least."""
    outlined = outlined_lesions(cases)
    rules = [
        OutlineRule(drawn_above=above, faintest_part=faint, smallest_part=small)
        for above, faint, small in product(DRAWN_ABOVE, FAINTEST_PARTS, SMALLEST_PARTS)
    ]
    return max(rules, key=lambda rule: round(_mean_dice(outlined, rule), 9))


def _mean_dice(cases: Sequence[CalibrationCase], rule: OutlineRule) -> float:
    return float(np.mean([_dice(case, rule) for case in cases])) if cases else 0.0


def _dice(case: CalibrationCase, rule: OutlineRule) -> float:
    parts = case.parts(rule)
    drawn, overlap = (sum(own) for own in zip(*((part.area, part.overlap) for part in parts), strict=True))
    return 2 * overlap / (drawn + (case.true_area or 0))
