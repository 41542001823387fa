"""From the probabilities of mask channels to a lesion probability and a lesion mask, on any grid.

The two rules are those of `MaskMeaning`. On the original grid they are applied to the channel probabilities after
these were brought there bilinearly: bilinear weights sum to one, so the channels still sum to one there, and the
rules mean the same on both grids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Geometry, MaskMeaning
from bustle.data.prepared.preprocess import map_to_original_grid


def lesion_probability(channels: NDArray[np.float32], *, meaning: MaskMeaning) -> NDArray[np.float32]:
    """The sum of the lesion channels of `K *S`, in 0..1."""
    total = channels[list(meaning.lesion_channels)].sum(axis=0, dtype=np.float32)
    return np.clip(total, 0.0, 1.0)


def lesion_mask(channels: NDArray[np.float32], *, meaning: MaskMeaning) -> NDArray[np.bool_]:
    """Where a lesion channel of `K *S` is the greatest (softmax), or the lesion probability > 0.5 (sigmoid)."""
    if meaning.activation == "sigmoid":
        return lesion_probability(channels, meaning=meaning) > 0.5
    lesion = list(meaning.lesion_channels)
    others = [channel for channel in range(len(channels)) if channel not in lesion]
    return channels[lesion].max(axis=0) > channels[others].max(axis=0)


def channels_on_original_grid(channels: NDArray[np.float32], *, geometry: Geometry) -> NDArray[np.float32]:
    """Bring `K h w` from the network's grid to the original `K H W`; parts that the network did not see are 0."""
    return np.stack([map_to_original_grid(channel, geometry=geometry) for channel in channels])
