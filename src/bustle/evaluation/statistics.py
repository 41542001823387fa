"""Spread and confidence: resampling of whole groups, exact intervals of shares, t intervals and the t test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.evaluation.figures import Estimate
from bustle.evaluation.metrics import Metric

FloatArray = NDArray[np.float64]


FEWEST_GROUPS = 5
"""Of fewer groups nothing can be said about others: neither resampling nor a test over groups knows their spread."""

RESAMPLING = (
    "percentile, whole groups resampled; Clopper-Pearson with a group as one case for a share of 0 or 1, or of fewer "
    "than five groups"
)
"""How intervals are made, as the files say it."""


@dataclass(frozen=True, eq=False)
class GroupResamples:
    """The group of each case by number, and how often each case stands in each resample, `resamples x cases`."""

    groups: NDArray[np.int64]
    weights: FloatArray

    @classmethod
    def draw(cls, names: Sequence[str], *, resamples: int, seed: int) -> GroupResamples:
        """Resamples of cases whose groups have these `names`.

        Whole groups are drawn with replacement, as many as there are, so cases of one group always come together
        (Field & Welsh, J. R. Stat. Soc. B 2007, the cluster bootstrap).
        """
        _, groups = np.unique(np.asarray(names), return_inverse=True)
        count = int(groups.max()) + 1
        drawn = np.random.default_rng(seed).integers(count, size=(resamples, count))
        offsets = np.arange(resamples)[:, None] * count
        times = np.bincount((drawn + offsets).ravel(), minlength=resamples * count).reshape(resamples, count)
        return cls(groups, times.astype(np.float64)[:, groups])

    def of(self, cases: NDArray[np.int64] | NDArray[np.bool_] | Sequence[int]) -> GroupResamples:
        """The same resamples of some of the cases, by their numbers or as a mask."""
        everything = np.arange(len(self.groups))
        chosen = everything[np.asarray(cases)]
        if np.array_equal(chosen, everything):
            return self  # a copy takes as much memory as all else together
        return GroupResamples(self.groups[chosen], self.weights[:, chosen])

    def filled(self) -> FloatArray:
        """The weights of the resamples in which some case stands, all of them without a copy."""
        some = self.weights.any(axis=1)
        return self.weights if some.all() else self.weights[some]


def group_interval(resampled: FloatArray, *, groups: NDArray[np.int64]) -> tuple[float, float] | None:
    """The 95 % interval of a statistic from its values in the resamples; `groups` are those of the cases it counts.

    None for fewer than `FEWEST_GROUPS` groups, and where all resamples agree: a constant has no known spread.
    """
    known = resampled[~np.isnan(resampled)]
    if group_count(groups) < FEWEST_GROUPS or not known.size:
        return None
    low, high = known.min(), known.max()
    return None if high - low <= 1e-12 * max(abs(low), abs(high)) else percentile_interval(known)


def share_interval(share: float, resampled: FloatArray, *, groups: NDArray[np.int64]) -> tuple[float, float]:
    """As `group_interval`, of a share of the cases, which always has one.

    Where resampling says nothing, the exact interval (Clopper & Pearson 1934) in which every group counts as one
    case: so wide that it holds even where the cases of a group are all alike (the effective sample size of Korn &
    Graubard 1998 at its lower end).
    """
    return group_interval(resampled, groups=groups) or exact_interval(share, n=group_count(groups))


def group_count(groups: NDArray[np.int64]) -> int:
    return len(np.unique(groups))


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


def exact_interval(share: float, *, n: int, level: float = 0.95) -> tuple[float, float]:
    """The Clopper-Pearson interval of a share of `n` independent cases, from beta quantiles."""
    from scipy import stats

    hits, tail = share * n, (1 - level) / 2
    low = stats.beta.ppf(tail, hits, n - hits + 1) if hits > 0 else 0.0
    high = stats.beta.ppf(1 - tail, hits + 1, n - hits) if hits < n else 1.0
    return float(low), float(high)


def mean_over_cases(
    values: FloatArray, *, groups: NDArray[np.int64], resampled: FloatArray, metric: Metric
) -> Estimate:
    """The mean of a metric over cases (NaN = left out) of these groups; `resampled` are its values in resamples."""
    known = ~np.isnan(values)
    if not known.any():
        return Estimate(mean=None, sd=None, median=None, ci95=None, n=0, unit=metric.unit)
    mean, counted = float(values[known].mean()), groups[known]
    return Estimate(
        mean=mean,
        sd=float(values[known].std(ddof=1)) if known.sum() > 1 else None,
        median=float(np.median(values[known])),
        ci95=(
            share_interval(mean, resampled, groups=counted)
            if metric.is_share
            else group_interval(resampled, groups=counted)
        ),
        n=int(known.sum()),
        unit=metric.unit,
    )


def t95_half_width(values: Sequence[float]) -> float:
    """Half width of the 95 % Student t interval of a mean: t(.975, n-1) s / sqrt(n), s with ddof 1."""
    from scipy import stats

    n = len(values)
    return float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))


def t95_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % Student t interval of a mean."""
    mean, half = float(np.mean(values)), t95_half_width(values)
    return mean - half, mean + half


def one_sided_pooled_t(lower: Sequence[float], higher: Sequence[float]) -> float:
    """P value of "the mean of `higher` exceeds that of `lower`": independent samples, pooled variance."""
    from scipy import stats

    first, second = np.asarray(lower, np.float64), np.asarray(higher, np.float64)
    freedom = len(first) + len(second) - 2
    squares = ((first - first.mean()) ** 2).sum() + ((second - second.mean()) ** 2).sum()
    error = np.sqrt(squares / freedom * (1 / len(first) + 1 / len(second)))
    return float(stats.t.sf((second.mean() - first.mean()) / error, freedom))
