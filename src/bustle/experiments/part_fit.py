"""Fitting which parts of a network's mask are dropped, on cases whose outline is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from bustle.experiments.calibration_case import CalibrationCase
from bustle.inference.decided_outline import kept_parts

SMALLEST_PARTS = (0.0, 0.05, 0.1, 0.2, 0.3)

FAINTEST_PARTS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, kw_only=True)
class FittedParts:
    """`smallest_part` and `faintest_part` of a `DecisionRule`."""

    smallest_part: float
    faintest_part: float


def outlined_lesions(cases: Sequence[CalibrationCase]) -> list[CalibrationCase]:
    """Those of the cases with a true outline of which something is drawn."""
    return [case for case in cases if case.true_area and case.parts]


def fit_parts(cases: Sequence[CalibrationCase]) -> FittedParts:
    """The shares with the highest mean Dice over the `outlined_lesions`; of equals those that drop least."""
    outlined = outlined_lesions(cases)
    choices = [
        FittedParts(smallest_part=small, faintest_part=faint)
        for faint, small in product(FAINTEST_PARTS, SMALLEST_PARTS)
    ]
    return max(choices, key=lambda each: round(_mean_dice(outlined, each), 9))


def _mean_dice(cases: Sequence[CalibrationCase], shares: FittedParts) -> float:
    return float(np.mean([_dice(case, shares) for case in cases])) if cases else 0.0


def _dice(case: CalibrationCase, shares: FittedParts) -> float:
    areas, overlaps = np.array([(part.area, part.overlap) for part in case.parts]).T
    means = np.array([part.mean for part in case.parts])
    kept = kept_parts(areas, means, smallest_part=shares.smallest_part, faintest_part=shares.faintest_part)
    return float(2 * overlaps[kept].sum() / (areas[kept].sum() + (case.true_area or 0)))
