"""What a recipe's losses know of its network and of the training part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bustle.losses.setting import LossSetting
from bustle.models.zoo import ResolvedNetwork


def loss_setting(network: ResolvedNetwork, *, labels: NDArray[np.int64] | None = None) -> LossSetting:
    """`labels` are those of the training cases: indices into the network's classes, -1 where a case has none."""
    classes = network.classes
    counts = None if labels is None else tuple(np.bincount(labels[labels >= 0], minlength=len(classes)).tolist())
    return LossSetting(
        mask_meaning=network.mask_meaning,
        map_meanings=network.map_meanings,
        classes=classes,
        class_counts=counts,
    )
