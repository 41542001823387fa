"""Probabilities of mask channels on another grid than the network's.

The rules of `MaskMeaning` are applied on the original grid to the channel probabilities after these were brought
there bilinearly: bilinear weights sum to one, so the channels still sum to one there, and the rules mean the same on
both grids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bustle.core.network import MaskMeaning
from bustle.data.prepared.grid import Grid


def bounded_lesion_probability(channels: NDArray[np.float32], *, meaning: MaskMeaning) -> NDArray[np.float32]:
    """The lesion probability of channels `K *S`, kept in 0..1, which a sum of rounded numbers may leave."""
    return np.clip(meaning.lesion_probability(channels), 0.0, 1.0)


def channels_on_original_grid(channels: NDArray[np.float32], *, grid: Grid) -> NDArray[np.float32]:
    """Bring `K h w` from the network's grid to the original `K H W`."""
    return np.stack([grid.map_to_original(channel) for channel in channels])
