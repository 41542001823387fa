from __future__ import annotations

import pytest
import torch

from bustle.models.blocks.padding import crop_to, pad_to_multiple


@pytest.mark.parametrize(
    ("size", "padded"),
    [
        ((64, 32), (64, 32)),
        ((33, 61), (64, 64)),
        ((50, 97), (64, 128)),
        ((1, 32), (32, 32)),
        ((33, 32, 5), (64, 32, 32)),
    ],
)
def test_padding_reaches_the_next_multiple_and_cropping_undoes_it(size: tuple[int, ...], padded: tuple[int, ...]):
    image = torch.randn(2, 3, *size)
    larger = pad_to_multiple(image, 32)
    assert larger.shape == (2, 3, *padded)
    assert torch.equal(crop_to(larger, size), image)
    assert (larger != 0).sum() == image.numel()
