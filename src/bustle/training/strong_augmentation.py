"""Strong augmentation of a batch that is already a tensor, for consistency training (FixMatch, MultiMix).

In the manner of RandAugment (Cubuk et al. 2020) as MultiMix uses it: every case draws some of the operations, each of
which is then made or not. The geometric operations are composed into one warp; those on intensities that need whole
grey values (equalise, posterise, solarise) are left out, because the images are normalised.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from bustle.data.transforms.torch_executor import on_device

MAX_TURN = math.radians(30)
MAX_SHEAR = 0.3
MAX_SHIFT = 0.3
"""As a part of the image's size."""
LOWEST_CONTRAST = 0.1
MAX_BRIGHTNESS = 0.5
"""In standard deviations of the normalised intensities."""
OPERATIONS = ("turn", "shear x", "shear y", "shift x", "shift y", "contrast", "brightness")


def strongly_augmented(images: Tensor, *, operations: int = 2, probability: float = 0.5) -> Tensor:
    """Images `B C H W` of the same size, each changed by up to `operations` of `OPERATIONS`, with random strengths.

    What a warp moves in from outside repeats the border. Uses torch's global random numbers. Coordinates keep the
    images' precision in mixed-precision training, where half of it would move pixels by half a pixel.
    """
    count, device = images.shape[0], images.device
    order = torch.rand(count, len(OPERATIONS), device=device).argsort(dim=1)
    made = (order < operations) & (torch.rand(count, len(OPERATIONS), device=device) < probability)
    strength = torch.where(made, 2 * torch.rand(count, len(OPERATIONS), device=device) - 1, 0.0)
    turn, shear_x, shear_y, shift_x, shift_y, contrast, brightness = strength.unbind(dim=1)
    with torch.autocast(device.type, enabled=False):
        warped = _warped(
            images,
            turn=MAX_TURN * turn,
            shear=(MAX_SHEAR * shear_x, MAX_SHEAR * shear_y),
            shift=(MAX_SHIFT * shift_x, MAX_SHIFT * shift_y),
        )
    factor = (1 - (1 - LOWEST_CONTRAST) * contrast.abs()).view(-1, 1, 1, 1)
    middle = warped.mean(dim=(1, 2, 3), keepdim=True)
    return middle + factor * (warped - middle) + MAX_BRIGHTNESS * brightness.view(-1, 1, 1, 1)


def _warped(images: Tensor, *, turn: Tensor, shear: tuple[Tensor, Tensor], shift: tuple[Tensor, Tensor]) -> Tensor:
    """Turned about the centre, sheared and shifted (in parts of the size), bilinearly."""
    height, width = images.shape[-2:]
    one, zero = torch.ones_like(turn), torch.zeros_like(turn)
    turned = _matrix(turn.cos(), -turn.sin(), turn.sin(), turn.cos())
    sheared = _matrix(one, shear[0], zero, one) @ _matrix(one, zero, shear[1], one)
    linear = turned @ sheared
    # affine_grid counts from -1 to 1 along both axes, so that a turn needs the proportions of the image.
    proportion = on_device(torch.tensor([[1.0, height / width], [width / height, 1.0]]), images.device)
    offset = torch.stack([2 * shift[0], 2 * shift[1]], dim=1).unsqueeze(2)
    theta = torch.cat([linear * proportion, offset], dim=2).to(images.dtype)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    return torch.stack([torch.stack([a, b], dim=1), torch.stack([c, d], dim=1)], dim=1)
