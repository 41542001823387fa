from __future__ import annotations

import pytest
import torch

from bustle.core.errors import InputError
from bustle.models.blocks.decoder import Decoder, UpBlock, resize_to


def features(channels, reductions, size):
    return [torch.randn(2, c, -(-size[0] // r), -(-size[1] // r)) for c, r in zip(channels, reductions, strict=True)]


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_published_layout_has_the_published_count():
    with torch.device("meta"):
        decoder = Decoder((128, 256, 512, 1024, 2048), (2, 4, 8, 16, 32), channels=None)
    assert decoder.out_channels == 128
    assert count(decoder) == 48_742_400 + 17_280 + 65_920  # RMTL-Net, Table 10: weights, biases and norms, last block


@pytest.mark.parametrize(
    ("channels", "reductions"),
    [
        ((6, 8, 10, 12, 14), (2, 4, 8, 16, 32)),  # a ResNet
        ((8, 10, 12, 14), (4, 8, 16, 32)),  # a ConvNeXt begins at stride 4
        ((4, 6, 8, 10, 12, 14), (1, 2, 4, 8, 16, 32)),  # a VGG begins at stride 1
        ((6, 8, 10), (2, 4, 8)),
    ],
)
@pytest.mark.parametrize("size", [(64, 64), (45, 70)])
def test_any_pyramid_is_decoded_to_about_the_inputs_size(channels, reductions, size):
    decoder = Decoder(channels, reductions, channels=None)
    decoded = decoder(features(channels, reductions, size))
    assert decoded.shape[:2] == (2, decoder.out_channels)
    assert all(abs(got - wanted) < reductions[0] + 1 for got, wanted in zip(decoded.shape[2:], size, strict=True))
    if reductions[0] > 1:
        assert decoder.out_channels == channels[0]  # the finest skip's width


def test_every_skip_reaches_the_result():
    channels, reductions = (8, 10, 12, 14), (4, 8, 16, 32)
    decoder = Decoder(channels, reductions, channels=(12, 10, 8, 6)).eval()
    maps = [f.requires_grad_() for f in features(channels, reductions, (64, 64))]
    decoder(maps).sum().backward()
    assert all(f.grad is not None and f.grad.abs().max() > 0 for f in maps)


def test_widths_must_fit_the_backbone():
    with pytest.raises(InputError, match="has 3 widths; this backbone needs 4"):
        Decoder((6, 8, 10, 12, 14), (2, 4, 8, 16, 32), channels=(32, 16, 8))


def test_a_block_doubles_the_resolution_and_fits_an_odd_skip():
    block = UpBlock(6, 4, skip_channels=3)
    assert block(torch.randn(1, 6, 4, 4), torch.randn(1, 3, 7, 8)).shape == (1, 4, 7, 8)
    assert UpBlock(6, 4, skip_channels=0)(torch.randn(1, 6, 4, 4), None).shape == (1, 4, 8, 8)


def test_resizing_to_the_same_size_is_the_identity():
    maps = torch.randn(1, 2, 5, 7)
    assert resize_to(maps, (5, 7)) is maps
    assert resize_to(maps, (10, 7)).shape == (1, 2, 10, 7)
