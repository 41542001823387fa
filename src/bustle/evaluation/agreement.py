"""Agreement of two raters who put the same cases into categories, or measure them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def cohens_kappa(first: NDArray[np.int64], second: NDArray[np.int64], *, weights: NDArray[np.float64]) -> NDArray:
    """Cohen's kappa (Educ. Psychol. Meas. 20:37, 1960) for every row of `weights` `R x cases`.

    (observed - expected) / (1 - expected) agreement; NaN where only one category occurs.
    """
    count = int(max(first.max(), second.max())) + 1
    total = weights.sum(axis=1)
    shares = [weights @ np.eye(count)[rater] / total[:, None] for rater in (first, second)]
    observed = weights @ (first == second) / total
    expected = (shares[0] * shares[1]).sum(axis=1)
    return np.divide(observed - expected, 1 - expected, out=np.full(len(total), np.nan), where=expected < 1)


@dataclass(frozen=True, kw_only=True)
class BlandAltman:
    """The mean difference, the limits of agreement, and the 95 % interval of each, in the unit of the differences."""

    bias: float
    limits: tuple[float, float]
    bias_interval: tuple[float, float]
    lower_interval: tuple[float, float]
    upper_interval: tuple[float, float]


def bland_altman(differences: NDArray[np.float64]) -> BlandAltman:
    """Of two raters' measurements of n cases, n at least 2: mean ± 1.96 SD (Bland & Altman, Lancet 327:307, 1986).

    Intervals are t intervals; the variance of a limit is s² (1/n + 1.96² / (2 (n - 1))) (Bland & Altman, Stat.
    Methods Med. Res. 8:135, 1999, section 2.1).
    """
    from scipy import stats

    n = len(differences)
    bias, sd = float(differences.mean()), float(differences.std(ddof=1))
    t = float(stats.t.ppf(0.975, n - 1))
    of_bias = t * sd / np.sqrt(n)
    of_limit = t * sd * np.sqrt(1 / n + 1.96**2 / (2 * (n - 1)))
    lower, upper = bias - 1.96 * sd, bias + 1.96 * sd
    return BlandAltman(
        bias=bias,
        limits=(lower, upper),
        bias_interval=(float(bias - of_bias), float(bias + of_bias)),
        lower_interval=(float(lower - of_limit), float(lower + of_limit)),
        upper_interval=(float(upper - of_limit), float(upper + of_limit)),
    )
