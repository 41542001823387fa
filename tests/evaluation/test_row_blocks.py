"""Resamples come in blocks: nothing is left out, and what is made of each is what is made of all at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from bustle.evaluation import row_blocks
from bustle.evaluation.classification import areas_under_roc, average_precisions
from bustle.evaluation.operating_points import at_sensitivity

CASES = 12


def sensitivities(positive: NDArray[np.bool_], score: NDArray[np.float64], *, weights: NDArray[np.float64]):
    return np.stack(at_sensitivity(positive, score, target=0.8, weights=weights))


@pytest.mark.parametrize("statistic", [areas_under_roc, average_precisions, sensitivities])
@pytest.mark.parametrize("resamples", [1, 6, 7])
def test_in_blocks_a_statistic_is_the_same(
    statistic: Callable[..., NDArray[np.float64]], resamples: int, monkeypatch: pytest.MonkeyPatch
):
    random = np.random.default_rng(0)
    positive, score = np.arange(CASES) % 2 == 0, random.random(CASES)
    weights = random.integers(1, 4, (resamples, CASES)).astype(np.float64)
    whole = statistic(positive, score, weights=weights)
    assert whole.shape[-1] == resamples
    monkeypatch.setattr(row_blocks, "NUMBERS", 3 * CASES)
    assert max(len(block) for block in row_blocks.row_blocks(weights, width=CASES)) == min(3, resamples)
    np.testing.assert_allclose(statistic(positive, score, weights=weights), whole, rtol=1e-12)
