"""Agreement of two raters who put the same cases into categories."""

from __future__ import annotations

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
