"""From a network's class probabilities to names and the decision that a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def named(probabilities: NDArray[np.float32] | None, *, classes: Sequence[str]) -> dict[str, float] | None:
    """The probabilities `N` of one case by class name, in the order of `classes`; None of a network without any."""
    return None if probabilities is None else dict(zip(classes, map(float, probabilities), strict=True))


def decide(probabilities: Mapping[str, float] | None) -> str | None:
    """The most probable class, the first of equals; None where no class has a probability."""
    return max(probabilities, key=probabilities.__getitem__) if probabilities else None
