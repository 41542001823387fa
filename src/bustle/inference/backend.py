"""What runs a trained network, whichever library does it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.types import MaskMeaning


class NetworkOutput(NamedTuple):
    """Probabilities of a batch: of the mask channels `B K h w` and of the classes `B N`, None where not predicted."""

    mask_channels: NDArray[np.float32] | None
    classes: NDArray[np.float32] | None


class Backend(Protocol):
    """A network, or several whose probabilities are averaged.

    `mask_meaning` None: it gives no mask. `runtime` names the library that runs it, with its version.
    """

    runtime: str
    mask_meaning: MaskMeaning | None

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Probabilities for normalised images `B C h w`. Raises `InputError` where the output is not a number."""
        ...


def finite(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same array; raises `InputError` where it holds NaN or infinity."""
    if not np.isfinite(probabilities).all():
        raise InputError("the network's output is not a number", remedy="its weights are spoilt: train it again")
    return probabilities
