"""Resamples, some at a time: what is made of all at once for tens of thousands of cases would fill the memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

NUMBERS = 2**22
"""As many are made at once, 32 MiB."""


def row_blocks(weights: NDArray[np.float64], *, width: int) -> Iterator[NDArray[np.float64]]:
    """The rows of `weights` in order, for a statistic that makes `width` numbers of each; at least one block."""
    rows = max(1, NUMBERS // max(1, width))
    for start in range(0, max(1, len(weights)), rows):
        yield weights[start : start + rows]
