from __future__ import annotations

import pytest
import torch
from torch import nn

from bustle.models.blocks.unet import ConvStyle, DoubleConv, UNetDecoder, UNetEncoder

WIDTHS = (64, 128, 256, 512, 1024)


def test_the_widths_64_to_1024_have_the_well_known_count():
    with torch.device("meta"):
        encoder, decoder = UNetEncoder(3, WIDTHS), UNetDecoder(WIDTHS)
        maps = encoder(torch.empty(1, 3, 256, 256))
        stages = decoder.forward_stages(maps)
    head = 64 + 1
    assert sum(p.numel() for part in (encoder, decoder) for p in part.parameters()) + head == 31_037_633
    assert [(m.shape[1], m.shape[2]) for m in maps] == [(w, 256 >> level) for level, w in enumerate(WIDTHS)]
    assert [(m.shape[1], m.shape[2]) for m in stages] == [(512, 32), (256, 64), (128, 128), (64, 256)]


@pytest.mark.parametrize("up", ["transposed", "bilinear"])
@pytest.mark.parametrize("norm", ["batch", "instance", "group", "none"])
def test_every_style_keeps_odd_sizes(norm, up):
    style = ConvStyle(norm=norm, activation="leaky_relu", leaky_slope=0.2, dropout=0.1)
    encoder, decoder = UNetEncoder(1, (4, 8, 16), style=style), UNetDecoder((4, 8, 16), style=style, up=up)
    decoded = decoder(encoder(torch.randn(2, 1, 33, 50)))
    assert decoded.shape == (2, decoder.out_channels, 33, 50)
    assert torch.isfinite(decoded).all()


def test_a_double_convolution_is_what_its_style_says():
    kinds = [type(layer) for layer in DoubleConv(3, 8, style=ConvStyle(norm="group", dropout=0.25))]
    assert kinds == [nn.Conv2d, nn.GroupNorm, nn.ReLU, nn.Conv2d, nn.GroupNorm, nn.ReLU, nn.Dropout]
    plain = DoubleConv(3, 8, style=ConvStyle(norm="none", activation="leaky_relu"))
    assert [type(layer) for layer in plain] == 2 * [nn.Conv2d, nn.LeakyReLU]
    assert plain[0].bias is not None


@pytest.mark.parametrize("options", [{"dropout": 1.0}, {"leaky_slope": -0.1}])
def test_nonsense_is_refused(options):
    with pytest.raises(ValueError, match="must"):
        ConvStyle(**options)
