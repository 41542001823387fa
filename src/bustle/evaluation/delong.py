"""The area under the ROC curve and the difference of two, tested on the same cases, by DeLong's method.

DeLong, DeLong & Clarke-Pearson, Biometrics 1988; the structural components come from midranks, in n log n instead of
positives times negatives (Sun & Xu, IEEE Signal Processing Letters 2014).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FloatArray = NDArray[np.float64]


class DeLong(NamedTuple):
    """`areas` of the two scores, their 2 x 2 `covariance`, and the test of second minus first.

    `standard_error` is that of the difference; `z` and the two-sided `p` are None where it is 0.
    """

    areas: tuple[float, float]
    covariance: FloatArray
    standard_error: float
    z: float | None
    p: float | None


def delong_test(
    positive: NDArray[np.bool_], first: FloatArray, second: FloatArray, *, groups: NDArray[np.int64]
) -> DeLong | None:
    """Compare the areas of two scores of the same rows; None with fewer than two groups of either class.

    `groups` numbers the group of each row. Rows of one group (a patient's images, repeats with other seeds) are
    summed before the variance is taken, and the covariance of a group's positives with its negatives is added
    (Obuchowski, Biometrics 1997), so that more images of the same patients do not look like more patients.
    """
    components = [structural_components(positive, score) for score in (first, second)]
    _, owner = np.unique(groups, return_inverse=True)
    count = int(owner.max()) + 1
    covariance, sums = np.zeros((2, 2)), []
    for chosen, column in ((positive, 0), (~positive, 1)):
        values = np.stack([each[column] for each in components])
        of_class = len(np.unique(owner[chosen]))
        if of_class < 2:
            return None
        centred = (values - values.mean(axis=1, keepdims=True)) / values.shape[1]
        sums.append(np.stack([np.bincount(owner[chosen], weights=row, minlength=count) for row in centred]))
        covariance += sums[-1] @ sums[-1].T * of_class / (of_class - 1)
    shared = sums[0] @ sums[1].T * count / (count - 1)
    covariance += shared + shared.T
    areas = (float(components[0][0].mean()), float(components[1][0].mean()))
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    error = float(np.sqrt(max(variance, 0.0)))
    difference = areas[1] - areas[0]
    if error < 1e-12:
        return DeLong(areas, covariance, 0.0, None, 1.0 if difference == 0 else None)
    z = difference / error
    return DeLong(areas, covariance, error, z, float(2 * stats.norm.sf(abs(z))))


def structural_components(positive: NDArray[np.bool_], score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Share of negatives below each positive, and share of positives above each negative; ties count half."""
    among_all = stats.rankdata(score)
    hits, misses = among_all[positive], among_all[~positive]
    below = (hits - stats.rankdata(score[positive])) / max(len(misses), 1)
    above = 1 - (misses - stats.rankdata(score[~positive])) / max(len(hits), 1)
    return below, above
