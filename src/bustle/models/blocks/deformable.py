"""Deformable convolution: a 3x3 convolution whose taps stand where an offset map puts them.

Dai et al., "Deformable Convolutional Networks", ICCV 2017 (offsets), and Zhu et al., "Deformable ConvNets v2", CVPR
2019 (`modulated`: each tap is also weighed by a mask in 0..1). Stride 1, padding 1, one group, no bias.

The taps are sampled first and multiplied with the kernel in one matrix product. In training the samples are weighed
sums of four rows of the channels-last map (`embedding_bag`), which on CPU makes the backward pass several times
faster than torchvision's operator (`benchmarks/deformable_convolution.py`) with the same numbers, also where a
position falls exactly on a pixel and the derivative depends on the side. While the network is exported `grid_sample`
takes the same samples, an operation that ONNX knows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TAPS = 9
"""Of the 3x3 kernel, row by row."""


def deformable_conv(features: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
    """Convolve `B C H W` with `weight` (O C 3 3) at moved taps; gives `B O H W`.

    `offset` (B 18 H W) holds the vertical and the horizontal shift in pixels of each tap in turn; `mask` (B 9 H W)
    the weight of each tap. What lies outside of the map is zero, bilinearly so within the first pixel outside.
    Operands and result are those of `torchvision.ops.deform_conv2d` with padding 1.
    """
    batch, channels, height, width = features.shape
    exact = torch.promote_types(features.dtype, torch.float32)  # half precision cannot say where a tap stands
    y, x = _positions(offset.to(exact))
    samples = _samples_for_export if torch.compiler.is_exporting() else _samples
    columns = samples(features.to(exact), y, x, None if mask is None else mask.to(exact))
    kernel = weight.permute(0, 2, 3, 1).reshape(len(weight), TAPS * channels)
    convolved = F.linear(columns.to(weight.dtype), kernel)
    return convolved.view(batch, height, width, -1).permute(0, 3, 1, 2)


def _positions(offset: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of every tap, each `B H W 9`."""
    height, width = offset.shape[-2:]
    shifts = offset.permute(0, 2, 3, 1).unflatten(-1, (TAPS, 2))
    tap = torch.arange(TAPS, device=offset.device)
    rows = torch.arange(height, device=offset.device)[:, None, None] + tap // 3 - 1
    columns = torch.arange(width, device=offset.device)[:, None] + tap % 3 - 1
    return rows + shifts[..., 0], columns + shifts[..., 1]


def _samples(features: Tensor, y: Tensor, x: Tensor, mask: Tensor | None) -> Tensor:
    """The map at every tap, times the mask: rows `B*H*W, 9*C`, one per pixel."""
    batch, channels, height, width = features.shape
    top, left = y.detach().floor(), x.detach().floor()
    low_y, low_x = y - top, x - left
    first = torch.arange(batch, device=features.device).view(-1, 1, 1, 1) * (height * width)
    indices, weights = [], []
    for row, share_y in ((top, 1 - low_y), (top + 1, low_y)):
        for column, share_x in ((left, 1 - low_x), (left + 1, low_x)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            weights.append(share_y * share_x * inside)
            # clamped as integers: a position that is not finite must reach the loss as NaN, not fail as an index
            indices.append(first + row.long().clamp(0, height - 1) * width + column.long().clamp(0, width - 1))
    weight = torch.stack(weights, dim=-1)
    if mask is not None:
        weight = weight * mask.permute(0, 2, 3, 1).unsqueeze(-1)
    pixels = features.permute(0, 2, 3, 1).reshape(-1, channels)
    taps = F.embedding_bag(
        torch.stack(indices, dim=-1).view(-1, 4), pixels, per_sample_weights=weight.view(-1, 4), mode="sum"
    )
    return taps.view(-1, TAPS * channels)


def _samples_for_export(features: Tensor, y: Tensor, x: Tensor, mask: Tensor | None) -> Tensor:
    """As `_samples`, but for rounding."""
    batch, channels, height, width = features.shape
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    taps = F.grid_sample(features, grid.flatten(2, 3), padding_mode="zeros", align_corners=False)
    taps = taps.view(batch, channels, height * width, TAPS).permute(0, 2, 3, 1)
    if mask is not None:
        taps = taps * mask.permute(0, 2, 3, 1).reshape(batch, height * width, TAPS, 1)
    return taps.reshape(batch * height * width, TAPS * channels)


class DeformableConv(nn.Module):
    """Deformable 3x3 convolution, `B in H W` to `B out H W`; plain 3x3 convolutions say how its taps move.

    They start at zero, so that it starts as an ordinary convolution, with `modulated` of half the strength (every
    mask is 1/2).
    """

    def __init__(self, in_channels: int, out_channels: int, *, modulated: bool = True):
        super().__init__()
        self.weight = nn.Conv2d(in_channels, out_channels, 3, bias=False).weight  # in its customary initialisation
        self.offset = nn.Conv2d(in_channels, 2 * TAPS, 3, padding=1)
        self.mask = nn.Conv2d(in_channels, TAPS, 3, padding=1) if modulated else None
        for conv in (self.offset, self.mask):
            if conv is not None:
                nn.init.zeros_(conv.weight)
                nn.init.zeros_(conv.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        mask = None if self.mask is None else self.mask(features).sigmoid()
        return deformable_conv(features, self.weight, self.offset(features), mask)
