"""How honest a probability is: Brier score and its parts, expected calibration error, reliability curve."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

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


class _Binned(NamedTuple):
    """Per row of weights and bin: the number of `cases`, the mean probability and the share of positives."""

    cases: FloatArray
    predicted: FloatArray
    observed: FloatArray


def _binned(
    positive: NDArray[np.bool_], probability: FloatArray, *, bin_of_case: NDArray[np.int64], weights: FloatArray
) -> _Binned:
    members = np.eye(int(bin_of_case.max()) + 1)[bin_of_case]
    cases = weights @ members
    each = np.maximum(cases, 1e-12)
    observed = weights @ (members * positive[:, None].astype(np.float64)) / each
    predicted = weights @ (members * probability[:, None]) / each
    return _Binned(cases, predicted, observed)


def debiased_calibration_errors(
    positive: NDArray[np.bool_], probability: FloatArray, *, bin_of_case: NDArray[np.int64], weights: FloatArray
) -> FloatArray:
    """`calibration_errors` less what chance alone adds at these numbers of cases, at least 0, per row of `weights`.

    A bin's gap is taken as normal with the binomial standard error of its observed share; what the mean of its
    absolute value exceeds the gap by is taken off (Kumar, Liang & Ma, "Verified Uncertainty Calibration", NeurIPS
    2019, whose draws are here the mean of the folded normal distribution).
    """
    cases, predicted, observed = _binned(positive, probability, bin_of_case=bin_of_case, weights=weights)
    total = weights.sum(axis=1)
    gap = np.abs(predicted - observed)
    error = np.sqrt(observed * (1 - observed) / np.maximum(cases, 1e-12))
    known = (cases > 0) & (error > 0)
    ratio = np.divide(gap, error, out=np.zeros_like(gap), where=known)
    folded = error * stats.foldnorm.mean(ratio)
    plain = (cases * gap).sum(axis=1) / total
    added = (cases * np.where(known, folded - gap, 0.0)).sum(axis=1) / total
    return np.maximum(plain - added, 0.0)


class BrierParts(NamedTuple):
    """Murphy's decomposition, per row of weights: the score is reliability - resolution + uncertainty + `within`.

    `reliability` is how far the bins' probabilities are from what was observed (0 is best), `resolution` how far the
    observed shares of the bins are apart (more is better), `uncertainty` that of the classes alone; `within` is what
    binning leaves over, near 0.
    """

    reliability: FloatArray
    resolution: FloatArray
    uncertainty: FloatArray
    within: FloatArray


def brier_parts(
    positive: NDArray[np.bool_], probability: FloatArray, *, bin_of_case: NDArray[np.int64], weights: FloatArray
) -> BrierParts:
    """Of the Brier score in bins (Murphy, J. Appl. Meteorol. 1973), per row of `weights` `R x cases`."""
    cases, predicted, observed = _binned(positive, probability, bin_of_case=bin_of_case, weights=weights)
    total = weights.sum(axis=1)
    share = weights @ positive.astype(np.float64) / total
    reliability = (cases * (predicted - observed) ** 2).sum(axis=1) / total
    resolution = (cases * (observed - share[:, None]) ** 2).sum(axis=1) / total
    uncertainty = share * (1 - share)
    within = brier_scores(positive, probability, weights=weights) - (reliability - resolution + uncertainty)
    return BrierParts(reliability, resolution, uncertainty, within)
