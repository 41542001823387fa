from __future__ import annotations

import math

import pytest
import torch

from bustle.training import strong_augmentation
from bustle.training.strong_augmentation import strongly_augmented


def test_it_is_random_per_case_and_repeatable():
    image = torch.rand(1, 1, 32, 48).expand(8, -1, -1, -1)
    torch.manual_seed(0)
    first = strongly_augmented(image)
    torch.manual_seed(0)
    assert torch.equal(first, strongly_augmented(image))
    assert first.shape == image.shape
    assert first.dtype == torch.float32
    assert torch.isfinite(first).all()
    assert len({case.sum().item() for case in first}) > 3


def test_mixed_precision_moves_pixels_no_differently():
    image = torch.rand(4, 1, 64, 64)
    torch.manual_seed(0)
    wanted = strongly_augmented(image, probability=1.0)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(strongly_augmented(image, probability=1.0), wanted)


def test_nothing_drawn_changes_nothing():
    image = torch.rand(4, 3, 33, 61, dtype=torch.float64)
    torch.testing.assert_close(strongly_augmented(image, probability=0.0), image)
    torch.testing.assert_close(strongly_augmented(image, operations=0), image)


def warped(image: torch.Tensor, *, turn: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> torch.Tensor:
    zero = torch.zeros(1)
    return strong_augmentation._warped(
        image, turn=zero + turn, shear=(zero, zero), shift=(zero + shift[0], zero + shift[1])
    )


@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
def test_a_quarter_turn_keeps_the_proportions(size: tuple[int, int]):
    """A square stays a square of the same size on an oblong image, too."""
    image = torch.zeros(1, 1, *size)
    y, x = size[0] // 2, size[1] // 2
    image[..., y - 8 : y + 2, x - 4 : x + 4] = 1
    turned = warped(image, turn=math.pi / 2)
    assert turned.sum().item() == pytest.approx(image.sum().item(), rel=1e-4)
    rows, columns = turned[0, 0].sum(dim=1), turned[0, 0].sum(dim=0)
    assert (rows > 0.5).sum() == 8
    assert (columns > 0.5).sum() == 10


def test_a_shift_is_a_part_of_the_size():
    image = torch.zeros(1, 1, 20, 40)
    image[..., 10, 20] = 1
    shifted = warped(image, shift=(0.25, 0.1))
    assert shifted[0, 0].argmax().item() == (10 - 2) * 40 + (20 - 10)
