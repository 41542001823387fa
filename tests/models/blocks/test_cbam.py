"""CBAM's two gates against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import correlate
from scipy.special import expit
from torch import nn

from bustle.models.blocks.cbam import ChannelAttention, SpatialAttention


def array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def test_channels_are_weighed_by_their_mean_and_their_maximum():
    torch.manual_seed(0)
    attention, features = ChannelAttention(32, reduction=8), torch.randn(2, 32, 5, 7)
    first, _, second = attention.mlp
    assert first.out_features == 4

    def mlp(x: np.ndarray) -> np.ndarray:
        hidden = np.maximum(x @ array(first.weight).T + array(first.bias), 0)
        return hidden @ array(second.weight).T + array(second.bias)

    values = array(features)
    gate = expit(mlp(values.mean(axis=(2, 3))) + mlp(values.max(axis=(2, 3))))
    np.testing.assert_allclose(array(attention(features)), values * gate[:, :, None, None])


def test_few_channels_keep_a_hidden_one():
    assert ChannelAttention(8, reduction=16).mlp[0].out_features == 1


def test_places_are_weighed_by_the_maximum_and_the_mean_over_channels():
    torch.manual_seed(0)
    attention, features = SpatialAttention().eval(), torch.randn(1, 6, 9, 11)
    convolution, norm = attention.gate
    with torch.no_grad():
        norm.running_mean.fill_(0.2)
        norm.running_var.fill_(1.7)
    values, kernel = array(features)[0], array(convolution.weight)[0]
    pooled = np.stack([values.max(axis=0), values.mean(axis=0)])
    response = sum(correlate(np.pad(pooled[k], 3), kernel[k], mode="valid") for k in range(2))
    gate = expit((response - 0.2) / np.sqrt(1.7 + norm.eps))
    np.testing.assert_allclose(array(attention(features))[0], values * gate)


@pytest.mark.parametrize(
    ("kind", "parameters"), [("cbam7x7", 2 * 49 + 2), ("stack3x3", 144 + 16 + 576 + 16 + 72 + 2)]
)
def test_both_kinds_of_gate(kind, parameters):
    attention = SpatialAttention(kind=kind).eval()
    assert sum(parameter.numel() for parameter in attention.parameters()) == parameters
    features = torch.randn(2, 5, 3, 4)
    with torch.no_grad():
        gate = attention(features) / features
    torch.testing.assert_close(gate, gate[:, :1].expand_as(gate))  # the same for all channels of a place
    assert ((gate > 0) & (gate < 1)).all()
    assert sum(isinstance(layer, nn.ReLU) for layer in attention.gate) == (2 if kind == "stack3x3" else 0)
