"""What is particular to Y-Net: the efficient spatial pyramid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bustle.core.errors import InputError
from bustle.models import zoo
from bustle.models.baselines.ynet_like import SpatialPyramid


def ones(pyramid: SpatialPyramid) -> SpatialPyramid:
    """The pyramid with all weights 1, so that its output counts the paths from each input pixel."""
    for convolution in (pyramid.reduce, *pyramid.branches):
        nn.init.ones_(convolution.weight)
    pyramid.activate = nn.Identity()
    return pyramid


def test_an_impulse_reaches_as_far_as_the_dilations_and_fills_the_gaps():
    """The running sum over dilations 2 to 2^k, written out place by place."""
    pyramid = ones(SpatialPyramid(1, 5))
    impulse = torch.zeros(1, 1, 65, 65)
    impulse[..., 32, 32] = 1
    with torch.no_grad():
        found = pyramid(impulse)[0].numpy()
    expected = np.zeros((5, 65, 65))
    for branch in range(5):
        for dilation in [1] if branch == 0 else [2**k for k in range(1, branch + 1)]:
            for dy in (-dilation, 0, dilation):
                for dx in (-dilation, 0, dilation):
                    expected[branch, 32 + dy, 32 + dx] += 1
    np.testing.assert_array_equal(found, expected)
    rows = np.nonzero(found.any(axis=(0, 2)))[0]
    assert (rows[0], rows[-1]) == (32 - 16, 32 + 16)  # 33 pixels


@pytest.mark.parametrize(("inputs", "outputs"), [(16, 16), (16, 64), (24, 33)])
def test_the_parameters_are_those_of_one_pointwise_and_one_shared_out_convolution(inputs: int, outputs: int):
    width = outputs // 5
    # all branches together are one 3x3 convolution from the reduced width to the output's
    expected = inputs * width + 9 * width * outputs + 2 * outputs + outputs
    assert sum(p.numel() for p in SpatialPyramid(inputs, outputs).parameters()) == expected


def test_the_input_is_added_where_the_shape_stays():
    features = torch.randn(2, 10, 6, 6)
    plain = SpatialPyramid(10, 10)
    for branch in plain.branches:
        nn.init.zeros_(branch.weight)
    plain.activate = nn.Identity()
    assert torch.equal(plain(features), features)
    assert not SpatialPyramid(10, 20).residual
    assert not SpatialPyramid(10, 10, stride=2).residual


@pytest.mark.parametrize(("edge", "halved"), [(32, 16), (33, 17)])
def test_a_strided_pyramid_halves(edge: int, halved: int):
    assert SpatialPyramid(8, 12, stride=2)(torch.randn(2, 8, edge, 32)).shape == (2, 12, halved, 16)


def test_the_class_branch_leaves_from_the_end_of_the_encoder():
    model = zoo.build("ynet_like", {"widths": [8, 12, 16], "depth": 1}, in_channels=3, class_count=2)
    model(torch.randn(2, 3, 64, 64)).class_logits.square().sum().backward()
    reached = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    assert reached == {"down", "class_branch", "class_head"}


@pytest.mark.parametrize(
    ("config", "message"),
    [({"widths": [4, 8]}, "widths must be"), ({"depth": -1}, "depth must not"), ({"dropout": 1}, "dropout must be")],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        zoo.build("ynet_like", config, in_channels=3, class_count=2)
