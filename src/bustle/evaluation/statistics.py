"""Spread and confidence: clustered bootstrap, t intervals and the t test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bustle.evaluation.figures import Estimate

FloatArray = NDArray[np.float64]


def cluster_weights(groups: Sequence[str], *, resamples: int, seed: int) -> FloatArray:
    """How often each case stands in each bootstrap resample, `resamples x cases`.

    Whole groups are drawn with replacement, as many as there are, so cases of one group always come together
    (Field & Welsh, J. R. Stat. Soc. B 2007, the cluster bootstrap).
    """
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    count = int(index.max()) + 1
    drawn = np.random.default_rng(seed).integers(count, size=(resamples, count))
    offsets = np.arange(resamples)[:, None] * count
    times = np.bincount((drawn + offsets).ravel(), minlength=resamples * count).reshape(resamples, count)
    return times[:, index].astype(np.float64)


def weighted_means(values: FloatArray, *, weights: FloatArray) -> FloatArray:
    """Means of the columns of `values` (cases x metrics, NaN = left out) in every resample, resamples x metrics.

    NaN where no case of a resample has a value.
    """
    known = ~np.isnan(values)
    total = weights @ np.where(known, values, 0.0)
    count = weights @ known.astype(np.float64)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def percentile_interval(resampled: FloatArray, *, level: float = 0.95) -> tuple[float, float] | None:
    """The percentile interval of a statistic's bootstrap values (NaN left out); None without any value."""
    known = resampled[~np.isnan(resampled)]
    if not known.size:
        return None
    low, high = np.percentile(known, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def mean_over_cases(values: FloatArray, *, resampled: FloatArray, unit: str) -> Estimate:
    """The mean of a metric over cases (NaN = left out); `resampled` are its bootstrap values."""
    known = values[~np.isnan(values)]
    return Estimate(
        mean=float(known.mean()) if known.size else None,
        sd=float(known.std(ddof=1)) if known.size > 1 else None,
        median=float(np.median(known)) if known.size else None,
        ci95=percentile_interval(resampled),
        n=int(known.size),
        unit=unit,
    )


def t95_half_width(values: Sequence[float]) -> float:
    """Half width of the 95 % Student t interval of a mean: t(.975, n-1) s / sqrt(n), s with ddof 1."""
    n = len(values)
    return float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))


def one_sided_pooled_t(lower: Sequence[float], higher: Sequence[float]) -> float:
    """P value of "the mean of `higher` exceeds that of `lower`": independent samples, pooled variance."""
    first, second = np.asarray(lower, np.float64), np.asarray(higher, np.float64)
    freedom = len(first) + len(second) - 2
    squares = ((first - first.mean()) ** 2).sum() + ((second - second.mean()) ** 2).sum()
    error = np.sqrt(squares / freedom * (1 / len(first) + 1 / len(second)))
    return float(stats.t.sf((second.mean() - first.mean()) / error, freedom))
