"""What is particular to MTL-COSA: the published count, the regions of the predicted contour, their attention."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bustle.core.errors import InputError
from bustle.core.published import published_for
from bustle.core.recipe import load_recipe
from bustle.models import zoo
from bustle.models.baselines.mtl_cosa import SPEC, Config, SelfAttention, contour_regions
from bustle.models.description import describe

SMALL = {"backbone": "test_resnet", "decoder_channels": [32, 24, 16, 8]}


def build(**config) -> nn.Module:
    torch.manual_seed(0)
    return zoo.build("mtl_cosa", {**SMALL, **config}, in_channels=3, class_count=2).eval()


def test_the_parity_preset_has_the_published_parameter_count():  # P2
    description = describe(load_recipe("mtl_cosa/parity"))
    assert description.params == 109_241_266
    assert description.params - description.trainable_params == 2048 * 1000 + 1000
    printed = published_for({"paper": "rmtl_net", "method": "MTL-COSA", "task": "cost"})
    assert [row.mean for row in printed] == [description.params]


def test_one_attention_block_has_the_published_layout():
    block = SelfAttention(2048, inner_channels=256)
    assert sum(p.numel() for p in block.parameters()) == 5_245_440


def test_the_regions_of_a_square_are_counted_by_hand():
    tumour = torch.zeros(1, 1, 20, 20)
    tumour[..., 6:14, 6:14] = 1  # 8 x 8
    core, ring, rest = contour_regions(tumour, width=2)[0]
    assert core.sum() == 4 * 4
    assert core[8:12, 8:12].all()
    assert ring.sum() == 12 * 12 - 4 * 4
    assert rest.sum() == 20 * 20 - 12 * 12
    assert not rest[4:16, 4:16].any()


def test_the_regions_equal_a_plain_computation_and_cover_each_pixel_once():
    mask = np.random.default_rng(0).random((3, 30, 17)) < [[[0.03]], [[0.5]], [[0.97]]]
    width = 2
    found = contour_regions(torch.from_numpy(mask).float().unsqueeze(1), width=width)
    assert torch.equal(found.sum(dim=1), torch.ones(3, 30, 17))
    for case, y, x in np.ndindex(mask.shape):
        near = mask[case, max(0, y - width) : y + width + 1, max(0, x - width) : x + width + 1]
        expected = 0 if near.all() else 1 if near.any() else 2
        assert found[case, expected, y, x] == 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_without_a_contour_there_is_no_ring(value: float):
    """The border of the image is none: a tumour that fills the image has no contour in it."""
    regions = contour_regions(torch.full((1, 1, 16, 16), value), width=5)
    assert not regions[:, 1].any()
    assert regions[:, 0].eq(value).all()


def test_attention_equals_a_plain_computation():
    torch.manual_seed(0)
    block, features = SelfAttention(6, inner_channels=4), torch.randn(1, 6, 2, 3)
    w = {name: value.numpy().squeeze() for name, value in block.state_dict().items()}
    places = features.numpy().reshape(6, 6).T  # one row per place
    query, key, value = (places @ w[f"{n}.weight"].T + w[f"{n}.bias"] for n in ("query", "key", "value"))
    scores = np.exp(query @ key.T / 2)  # the square root of 4 channels
    expected = places + scores / scores.sum(axis=1, keepdims=True) @ value
    found = block(features).detach().numpy().reshape(6, 6).T
    np.testing.assert_allclose(found, expected)


def test_with_empty_values_attention_is_the_identity():
    block, features = SelfAttention(6, inner_channels=4), torch.randn(2, 6, 3, 3)
    nn.init.zeros_(block.value.weight)
    nn.init.zeros_(block.value.bias)
    assert torch.equal(block(features), features)


def test_classes_teach_the_encoder_but_not_the_outline():
    """The regions are binary, so that the class loss reaches neither the decoder nor the mask head."""
    model = build()
    model(torch.randn(2, 3, 64, 64)).class_logits.square().sum().backward()
    assert model.get_parameter("mask_head.weight").grad is None
    assert model.get_submodule("encoder").body.conv1[0].weight.grad.abs().max() > 0


def test_the_outline_decides_the_classes():
    model, image = build(), torch.randn(1, 3, 64, 64)
    answers = []
    with torch.no_grad():
        for bias in ([50.0, 0.0], [0.0, 50.0]):
            model.get_submodule("mask_head").bias.copy_(torch.tensor(bias))
            answers.append(model(image).class_logits)
    assert not torch.equal(*answers)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"ring_width": 0}, "ring_width must be"),
        ({"attention_reduction": 0}, "attention_reduction must be"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"decoder_channels": [0, 8, 8, 8]}, "decoder_channels must be"),
    ],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        build(**config)


def test_the_unused_layer_is_declared():
    assert SPEC.without_gradient(Config(keep_unused_fc=True)) == ("unused_fc.",)
    assert SPEC.without_gradient(Config()) == ()
    assert not build(keep_unused_fc=True).get_parameter("unused_fc.weight").requires_grad
