"""How honest a probability is: Brier score, expected calibration error, reliability curve."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class ReliabilityCurve(NamedTuple):
    """Per occupied bin: mean predicted probability, observed fraction of positives, and number of cases."""

    predicted: FloatArray
    observed: FloatArray
    cases: NDArray[np.int64]


def brier_scores(positive: NDArray[np.bool_], probability: FloatArray, *, weights: FloatArray) -> FloatArray:
    """Mean squared difference of probability and outcome, per row of `weights` `R x cases`.

    Half of Brier's original two-class sum (Mon. Weather Rev. 1950), as scikit-learn gives it.
    """
    return weights @ (probability - positive) ** 2 / weights.sum(axis=1)


def equal_width_bins(probability: FloatArray, bins: int) -> NDArray[np.int64]:
    """The bin of every case, bins of equal width on 0..1; an upper edge belongs to the bin above, 1 to the last."""
    return np.minimum((probability * bins).astype(np.int64), bins - 1)


def equal_mass_bins(probability: FloatArray, bins: int) -> NDArray[np.int64]:
    """The bin of every case, bins of (nearly) equal numbers of cases; equal probabilities share a bin."""
    edges = np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1])
    return np.searchsorted(np.unique(edges), probability, side="right").astype(np.int64)


def calibration_errors(
    positive: NDArray[np.bool_], probability: FloatArray, *, bin_of_case: NDArray[np.int64], weights: FloatArray
) -> FloatArray:
    """Expected calibration error (Naeini et al., AAAI 2015), per row of `weights` `R x cases`.

    |mean probability - observed fraction| of every bin, weighted by the bin's cases.
    """
    members = np.eye(int(bin_of_case.max()) + 1)[bin_of_case]
    gap = weights @ (members * (probability - positive)[:, None])
    return np.abs(gap).sum(axis=1) / weights.sum(axis=1)


def reliability_curve(
    positive: NDArray[np.bool_], probability: FloatArray, *, bin_of_case: NDArray[np.int64]
) -> ReliabilityCurve:
    count = np.bincount(bin_of_case)
    used = count > 0
    predicted = np.bincount(bin_of_case, weights=probability)[used] / count[used]
    observed = np.bincount(bin_of_case, weights=positive.astype(np.float64))[used] / count[used]
    return ReliabilityCurve(predicted, observed, count[used].astype(np.int64))
