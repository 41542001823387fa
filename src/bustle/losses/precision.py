"""The precision that losses are computed in."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision in float32; float32 and float64 as they are.

    A mean over the pixels of a mask is too long a sum for half precision, also under autocast.
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
