"""Networks that take only multiples of a stride, made to take any size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def pad_to_multiple(image: Tensor, stride: int) -> Tensor:
    """Pad `B C *S` with zeros at the end of every spatial axis until `stride` divides it."""
    after = [-edge % stride for edge in image.shape[2:]]
    if not any(after):
        return image
    return F.pad(image, [amount for edge in reversed(after) for amount in (0, edge)])


def crop_to(maps: Tensor, size: Sequence[int]) -> Tensor:
    """The part of the padded maps `B K *S` that lies on the image of `size`."""
    return maps[(..., *(slice(edge) for edge in size))]
