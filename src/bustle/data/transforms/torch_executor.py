"""Applies drawn transforms to a whole batch of tensors, on the processor or on a GPU.

The same drawn numbers as for the OpenCV executor give the same pictures but for rounding: this one interpolates
exactly and rounds once at the end. Cases that share a step of the recipe are changed together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bustle.data.prepared.intensities import LUMA
from bustle.data.transforms.drawn_fields import blur_kernel, depth_gain, marks_field, speckle_field
from bustle.data.transforms.drawn_transform import DrawnTransform, IntensityStep

FIELDS = ("speckle", "marks", "depth_gain")
"""Steps whose numbers make a field over the grid first."""


def apply(images: Tensor, masks: Tensor, drawn: Sequence[DrawnTransform]) -> tuple[Tensor, Tensor]:
    """Transform images `B C h w` (uint8, or float of 0..255) and masks or instance maps `B m h w`.

    Returns new tensors of the same types on the same device; `drawn` holds one transform per case.
    """
    if len(drawn) != images.shape[0] or len(drawn) != masks.shape[0]:
        raise ValueError(f"{len(drawn)} transforms for {images.shape[0]} images and {masks.shape[0]} masks")
    with torch.no_grad():
        changed = images.to(torch.float32, copy=True)
        _change_intensities(changed, [transform.before for transform in drawn])
        if any(transform.moves for transform in drawn):
            grid = _sampling_grid(drawn, height=images.shape[-2], width=images.shape[-1], device=images.device)
            changed = functional.grid_sample(changed, grid, mode="bilinear", align_corners=False)
            moved = functional.grid_sample(masks.to(torch.float32), grid, mode="nearest", align_corners=False)
            masks = moved.to(masks.dtype)
        else:
            masks = masks.clone()
        _change_intensities(changed, [transform.after for transform in drawn])
        if not images.is_floating_point():
            changed = changed.round_().clamp_(0, 255)
        return changed.to(images.dtype), masks


def on_device(values: Tensor, device: torch.device) -> Tensor:
    """Copy small values from the processor; a GPU at work is not waited for, which needs memory that stays put."""
    return (values.pin_memory() if device.type == "cuda" else values).to(device, non_blocking=True)


def _sampling_grid(drawn: Sequence[DrawnTransform], *, height: int, width: int, device: torch.device) -> Tensor:
    """Where each target pixel is read, `B h w 2` (x, y) in grid_sample's coordinates.

    There, -1 and 1 are the outer edges of the first and last pixel: u = (2 x + 1) / width - 1.
    """
    matrices = torch.tensor([transform.source_from_target for transform in drawn], dtype=torch.float64)
    size = torch.tensor([width, height], dtype=torch.float64)
    linear, shift = matrices.view(-1, 2, 3).split([2, 1], dim=-1)
    first_pixel = (1 - size) / 2  # of a grid whose origin is the picture's centre
    linear_scaled = linear * size / size[:, None]
    shift_scaled = 2 * (linear @ -first_pixel + shift[..., 0] + first_pixel) / size
    theta = on_device(torch.cat([linear_scaled, shift_scaled[..., None]], dim=-1).to(torch.float32), device)
    return functional.affine_grid(theta, [len(drawn), 1, height, width], align_corners=False)


def _change_intensities(images: Tensor, steps: Sequence[Sequence[IntensityStep]]) -> None:
    """Apply every case's steps to float images of 0..255 in place, equal steps of several cases together."""
    together: dict[tuple[int, str], list[tuple[int, IntensityStep]]] = {}
    for case, case_steps in enumerate(steps):
        for step in case_steps:
            together.setdefault((step.slot, step.name), []).append((case, step))
    for slot, name in sorted(together):
        members = together[slot, name]
        cases = on_device(torch.tensor([case for case, _ in members]), images.device)
        if name in FIELDS:
            images[cases] = _with_fields(images[cases], name, [step.values for _, step in members])
            continue
        values = on_device(torch.tensor([step.values for _, step in members], dtype=torch.float32), images.device)
        images[cases] = _changed(images[cases], name, members[0][1], values[:, :, None, None, None])


def _changed(images: Tensor, name: str, example: IntensityStep, values: Tensor) -> Tensor:
    """One kind of step on images `n C h w`; `values` `n v 1 1 1` of each case, the kernel as in `example`."""
    if name == "gaussian_blur":
        return _gaussian_blur(images, kernel=int(example.values[0]), sigma=values[:, 1, 0, 0, 0])
    if name == "median_blur":
        return _median_blur(images, kernel=int(example.values[0]))
    if name == "sharpen":
        blurred = _gaussian_blur(images, kernel=blur_kernel(example.values[1]), sigma=values[:, 1, 0, 0, 0])
        return (images + values[:, 0] * (images - blurred)).clamp_(0, 255)
    if name == "tone_curve":
        return _through_curve(images, values[:, :, 0, 0, 0])
    value = values[:, 0]
    if name == "gamma":
        return 255 * (images / 255).clamp_(0, 1) ** value
    if name == "brightness":
        return (images * value).clamp_(0, 255)
    if name == "contrast":
        mean = _grey(images).mean(dim=(-2, -1), keepdim=True)
        return (mean + (images - mean) * value).clamp_(0, 255)
    if images.shape[1] == 1:
        return images  # grey has neither saturation nor hue
    if name == "saturation":
        grey = _grey(images)
        return (grey + (images - grey) * value).clamp_(0, 255)
    return _turn_hue(images, value[:, 0])


def _with_fields(images: Tensor, name: str, steps: Sequence[Sequence[float]]) -> Tensor:
    """Steps that come as a field of each case, made on the processor."""
    size = (images.shape[-2], images.shape[-1])
    if name == "marks":
        painted = [marks_field(size, count=int(n), grey=int(grey), seed=int(seed)) for n, grey, seed in steps]
        over = on_device(torch.from_numpy(np.stack(painted)), images.device)[:, None].to(images.dtype)
        return torch.where(over > 0, over, images)
    if name == "speckle":
        factors = [1 + strength * speckle_field(size, grain=grain, seed=int(seed)) for strength, grain, seed in steps]
    else:
        factors = [np.broadcast_to(depth_gain(size[0], stops=stops)[:, None], size) for (stops,) in steps]
    factor = on_device(torch.from_numpy(np.stack(factors)), images.device)[:, None]
    return (images * factor).clamp_(0, 255)


def _grey(images: Tensor) -> Tensor:
    if images.shape[1] == 1:
        return images
    weights = on_device(torch.tensor(LUMA), images.device)
    return (images * weights[:, None, None]).sum(dim=1, keepdim=True)


def _gaussian_blur(images: Tensor, *, kernel: int, sigma: Tensor) -> Tensor:
    """A separable Gaussian of each case's own `sigma` `n`, mirrored at the borders as in OpenCV."""
    count, channels, height, width = images.shape
    distance = torch.arange(kernel, device=images.device) - kernel // 2
    weights = torch.softmax(-(distance**2) / (2 * sigma[:, None] ** 2), dim=1).repeat_interleave(channels, dim=0)
    planes = images.reshape(1, count * channels, height, width)
    half = kernel // 2
    planes = functional.pad(planes, (half, half, half, half), mode="reflect")
    planes = functional.conv2d(planes, weights[:, None, None, :], groups=count * channels)
    planes = functional.conv2d(planes, weights[:, None, :, None], groups=count * channels)
    return planes.view(count, channels, height, width)


def _through_curve(images: Tensor, heights: Tensor) -> Tensor:
    """Grey values read from each case's curve `n k`, whose heights stand over equal steps from 0 to 255."""
    place = images.clamp(0, 255) * ((heights.shape[1] - 1) / 255)
    left = place.floor().clamp_(max=heights.shape[1] - 2)
    lower = heights.gather(1, left.flatten(1).long()).view_as(images)
    upper = heights.gather(1, left.flatten(1).long() + 1).view_as(images)
    return lower + (upper - lower) * (place - left)


def _median_blur(images: Tensor, *, kernel: int) -> Tensor:
    """The median of each window, the border pixels repeated as in OpenCV."""
    half = kernel // 2
    padded = functional.pad(images, (half, half, half, half), mode="replicate")
    windows = padded.unfold(2, kernel, 1).unfold(3, kernel, 1)
    return windows.flatten(4).median(dim=4).values


def _turn_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of RGB images `n 3 h w` by `turn` `n 1 1` of a circle; value and HSV saturation stay."""
    red, green, blue = images.unbind(dim=1)
    value = images.amax(dim=1)
    chroma = value - images.amin(dim=1)
    divisor = chroma.clamp_min(1e-6)
    sector = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    hue = sector + 6 * turn
    channels = []
    for offset in (5, 3, 1):  # red, green, blue: value - chroma * max(0, min(k, 4 - k, 1))
        k = (hue + offset) % 6
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, dim=1)
