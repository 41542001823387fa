"""Cuts a patch out of a volume of cubic voxels, transformed on the way, on the processor or on a GPU.

Only the part of the volume that the patch reads is converted to float, and it is interpolated once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bustle.data.transforms.torch_executor import on_device
from bustle.data.transforms.volume_augmentation import DrawnVolumeTransform
from bustle.data.transforms.volume_components import spline_weights


def cut_patch(
    image: Tensor, mask: Tensor, *, start: Sequence[int], size: Sequence[int], drawn: DrawnVolumeTransform | None
) -> tuple[Tensor, Tensor]:
    """The patch `[start, start + size)` of an image uint8 `C d h w` and an instance map uint8 `d h w`.

    `start` may lie outside: there the image has its least value, the mask 0. Returns float32 `C *size` of 0..255 and
    uint8 `*size`; the image is read linearly, the mask at the nearest voxel. None for `drawn` copies voxels.
    """
    with torch.no_grad():
        least = image.min()
        if drawn is None:
            nothing = mask.new_zeros(())
            return _copied(image, start, size, fill=least).float(), _copied(mask, start, size, fill=nothing)
        place = _source_places(start, size, drawn)
        low = [max(0, int(np.floor(float(axis.min())))) for axis in place]
        high = [
            min(length, int(np.ceil(float(axis.max()))) + 1)
            for axis, length in zip(place, image.shape[1:], strict=True)
        ]
        if any(stop <= begin for begin, stop in zip(low, high, strict=True)):  # wholly outside
            return least.float().expand(image.shape[0], *size), mask.new_zeros(tuple(size))
        window = tuple(slice(begin, stop) for begin, stop in zip(low, high, strict=True))
        grid = torch.stack(
            [
                2 * (axis - begin) / max(stop - begin - 1, 1) - 1
                for axis, begin, stop in reversed(list(zip(place, low, high, strict=True)))
            ],
            dim=-1,
        )[None]
        grid = on_device(grid, image.device)
        # Outside of the window lies 0 for grid_sample: above the least value, that is what lies there.
        above = image[:, *window].float() - least
        patch = functional.grid_sample(above[None], grid, mode="bilinear", align_corners=True)[0] + least
        moved = functional.grid_sample(mask[None, None, *window].float(), grid, mode="nearest", align_corners=True)
        return patch, moved[0, 0].to(mask.dtype)


def _copied(values: Tensor, start: Sequence[int], size: Sequence[int], *, fill: Tensor) -> Tensor:
    """The last three axes cut to the patch, `fill` where it reaches beyond them."""
    result = fill.expand(*values.shape[:-3], *size).clone()
    source, target = [], []
    for begin, length, available in zip(start, size, values.shape[-3:], strict=True):
        low, high = max(begin, 0), min(begin + length, available)
        source.append(slice(low, max(high, low)))
        target.append(slice(low - begin, max(high, low) - begin))
    result[..., *target] = values[..., *source]
    return result


def _source_places(start: Sequence[int], size: Sequence[int], drawn: DrawnVolumeTransform) -> list[Tensor]:
    """Where each voxel of the patch is read: three tensors `*size`, one per axis, in voxels of the volume."""
    axes = [torch.arange(length, dtype=torch.float32) - (length - 1) / 2 for length in size]
    offsets = [axis.view([-1 if number == other else 1 for other in range(3)]) for number, axis in enumerate(axes)]
    if drawn.displacements is not None:
        weights = [torch.from_numpy(spline_weights(length, spacing=drawn.control_spacing)) for length in size]
        moved = torch.einsum("ndhw,ad,bh,cw->nabc", torch.from_numpy(drawn.displacements), *weights)
        offsets = [offset + shift for offset, shift in zip(offsets, moved, strict=True)]
    matrix = torch.from_numpy(drawn.source_from_target).float()
    return [
        start[axis] + (size[axis] - 1) / 2 + d * offsets[0] + h * offsets[1] + w * offsets[2]
        for axis, (d, h, w) in enumerate(matrix)
    ]
