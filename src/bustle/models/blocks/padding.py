"""Networks that take only multiples of a stride, made to take any size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def pad_to_multiple(image: Tensor, stride: int) -> Tensor:
    """Pad `B C H W` with zeros at the bottom and the right until `stride` divides both sides."""
    height, width = image.shape[-2:]
    below, right = -height % stride, -width % stride
    return F.pad(image, (0, right, 0, below)) if below or right else image


def crop_to(maps: Tensor, size: Sequence[int]) -> Tensor:
    """The part of the padded maps `B K H W` that lies on the image of `size`."""
    return maps[..., : size[0], : size[1]]
