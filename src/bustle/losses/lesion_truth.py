"""The true lesion mask at the size of a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from bustle.core.types import Batch


def lesion_truth(batch: Batch, *, size: Sequence[int], resize: Literal["nearest", "area"] = "nearest") -> Tensor:
    """Lesion or not, float32 `B *size`.

    For maps smaller than the input the `nearest` pixel decides, 0 or 1; `area` is the lesion's share of the pixels
    that fall into one of the map's.
    """
    truth = (batch.lesion_mask > 0).float()
    if tuple(truth.shape[1:]) == tuple(size):
        return truth
    mode = "nearest-exact" if resize == "nearest" else "area"
    return F.interpolate(truth.unsqueeze(1), size=tuple(size), mode=mode).squeeze(1)
