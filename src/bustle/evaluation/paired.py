"""Tests of one metric of two methods: over the same cases, and over the values of folds or repeats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bustle.evaluation.comparison_results import PairedTTest, PooledTTest
from bustle.evaluation.statistics import one_sided_pooled_t

FloatArray = NDArray[np.float64]


def paired_t_test(differences: FloatArray, *, groups: NDArray[np.int64]) -> PairedTTest:
    """Two-sided paired t test of the mean difference over rows (NaN left out), whose groups are independent.

    The standard error is the one robust to clusters (Liang & Zeger 1986, with the factor G / (G - 1)), the degrees of
    freedom are G - 1 for G groups; where every row is its own group this is the plain paired t test. `p` is None with
    fewer than two groups, or where all differ by the same amount; without any difference it is 1.
    """
    known = ~np.isnan(differences)
    values = differences[known]
    _, owner = np.unique(groups[known], return_inverse=True)
    count = int(owner.max()) + 1 if owner.size else 0
    freedom = max(count - 1, 0)
    if freedom and not values.any():
        return PairedTTest(p=1.0, t=0.0, degrees_of_freedom=freedom)
    sums = np.bincount(owner, weights=values - values.mean()) if freedom else np.zeros(1)
    error = np.sqrt(count * (sums**2).sum() / freedom) / len(values) if freedom else 0.0
    if error < 1e-12:
        return PairedTTest(p=None, t=None, degrees_of_freedom=freedom)
    t = float(values.mean() / error)
    return PairedTTest(p=float(2 * stats.t.sf(abs(t), freedom)), t=t, degrees_of_freedom=freedom)


def bootstrap_p_value(resampled: FloatArray) -> float | None:
    """Two-sided p value of "no difference" from a difference's bootstrap values (NaN left out).

    Twice the smaller share of resamples on one side of 0, each counted with one more (Davison & Hinkley 1997), so
    that 2,000 resamples give at least 0.001.
    """
    known = resampled[~np.isnan(resampled)]
    if not known.size:
        return None
    tail = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(1.0, 2 * (1 + tail) / (1 + known.size))


def pooled_t_test(
    reference: Sequence[float], other: Sequence[float], *, higher_is_better: bool
) -> PooledTTest | None:
    """LA-Net's test over the values of folds or repeats: that `other` is better than `reference`, one-sided.

    None with fewer than two values on a side; `p` is None where neither side varies.
    """
    if min(len(reference), len(other)) < 2:
        return None
    varies = np.ptp(reference) > 0 or np.ptp(other) > 0
    lower, higher = (reference, other) if higher_is_better else (other, reference)
    return PooledTTest(
        p=one_sided_pooled_t(lower, higher) if varies else None,
        reference=tuple(reference),
        values=tuple(other),
        degrees_of_freedom=len(reference) + len(other) - 2,
    )
