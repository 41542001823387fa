"""The true lesion mask at the size of a map."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from bustle.core.types import Batch


def lesion_truth(batch: Batch, *, size: Sequence[int]) -> Tensor:
    """Lesion or not, float32 `B *size`; for maps smaller than the input the nearest pixel decides."""
    truth = (batch.lesion_mask > 0).float()
    if tuple(truth.shape[1:]) == tuple(size):
        return truth
    return F.interpolate(truth.unsqueeze(1), size=tuple(size), mode="nearest-exact").squeeze(1)
