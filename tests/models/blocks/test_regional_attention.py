"""RMTL-Net's regional attention, eq. 1 to 6, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bustle.models.blocks.regional_attention import RegionalAttention, region_vectors


def attention(channels: tuple[int, ...] = (0, 1, 2), **settings) -> RegionalAttention:
    defaults = {"threshold": 0.5, "detach_probability": False, "resize": "nearest", "pool": "global"}
    return RegionalAttention(channels, **{**defaults, **settings})


def logits_of(probabilities: Tensor) -> Tensor:
    return probabilities.clamp_min(1e-12).log()


def test_nothing_passes_at_or_below_the_threshold():
    features = torch.randn(2, 5, 4, 4)
    for level in (1 / 3, 0.5):  # the comparison is strict
        vectors = region_vectors(features, torch.full((2, 3, 64, 64), level), threshold=0.5)
        assert torch.equal(vectors, torch.zeros(2, 3, 5))


def test_a_certain_region_is_plain_global_pooling():
    features = torch.randn(2, 5, 4, 4)
    probabilities = torch.zeros(2, 3, 64, 64)
    probabilities[:, 0] = 1
    vectors = region_vectors(features, probabilities, threshold=0.5)
    torch.testing.assert_close(vectors[:, 0], features.mean(dim=(2, 3)))
    assert vectors[:, 1:].abs().max() == 0


@pytest.mark.parametrize("pool", ["global", "masked"])
def test_region_vectors_equal_a_plain_computation(pool):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2, 5, 4, 3))
    probabilities = rng.dirichlet((0.3, 0.3, 0.3), size=(2, 128, 96)).transpose(0, 3, 1, 2)
    expected = np.zeros((2, 3, 5))
    for case in range(2):
        for region in range(3):
            total, mass = np.zeros(5), 0.0
            for y in range(4):
                for x in range(3):
                    p = probabilities[case, region, 32 * y, 32 * x]  # nearest reads the cell's first pixel
                    if p > 0.5:
                        total += p * features[case, :, y, x]
                        mass += p
            expected[case, region] = total / (12 if pool == "global" else max(mass, 1e-6))
    vectors = region_vectors(torch.from_numpy(features), torch.from_numpy(probabilities), threshold=0.5, pool=pool)
    np.testing.assert_allclose(vectors.numpy(), expected)


def test_area_resize_sees_the_whole_cell():
    features = torch.ones(1, 1, 1, 1)
    probabilities = torch.zeros(1, 1, 32, 32)
    probabilities[..., 4:, :] = 1  # the first pixel, which nearest reads, is empty
    assert region_vectors(features, probabilities, threshold=0.5, resize="nearest").item() == 0
    assert region_vectors(features, probabilities, threshold=0.5, resize="area").item() == pytest.approx(28 / 32)


def test_masked_pooling_of_an_empty_region_is_zero():
    vectors = region_vectors(torch.randn(1, 5, 2, 2), torch.zeros(1, 1, 64, 64), threshold=0.5, pool="masked")
    assert torch.equal(vectors, torch.zeros(1, 1, 5))


def test_the_gradient_passes_through_kept_values_only():
    probabilities = torch.tensor([[0.9, 0.4], [0.6, 0.5]]).reshape(1, 1, 2, 2).requires_grad_()
    features = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 1, 2, 2)
    region_vectors(features, probabilities, threshold=0.5).sum().backward()
    assert probabilities.grad is not None
    assert probabilities.grad.flatten().tolist() == [0.25, 0.0, 0.75, 0.0]


@pytest.mark.parametrize("detach", [False, True])
def test_detaching_keeps_the_class_gradient_out_of_the_maps(detach: bool):
    logits = (4 * torch.randn(2, 3, 64, 64)).requires_grad_()
    features = torch.randn(2, 5, 4, 4, requires_grad=True)
    attention(detach_probability=detach)(features, logits).sum().backward()
    assert features.grad is not None
    assert (logits.grad is None) == detach


def test_permuting_regions_with_their_weights_changes_nothing():
    logits, features = 4 * torch.randn(2, 3, 64, 64), torch.randn(2, 5, 4, 4)
    first, second = attention((0, 1, 2)).eval(), attention((2, 0, 1)).eval()
    second.load_state_dict(first.state_dict())
    assert first.fusion is not None
    assert second.fusion is not None
    weights = first.fusion[0].weight.detach()
    assert isinstance(second.fusion[0], nn.Conv2d)
    second.fusion[0].weight.data = weights[:, [2, 0, 1]].clone()
    torch.testing.assert_close(first(features, logits), second(features, logits))


def test_fusion_is_the_weighted_sum_of_regions():
    logits, features = 4 * torch.randn(3, 3, 64, 64), torch.randn(3, 5, 4, 4)
    module = attention().eval()
    assert module.fusion is not None
    with torch.no_grad():
        module.fusion[0].weight.copy_(torch.tensor([2.0, -1.0, 0.5]).reshape(1, 3, 1, 1))
        module.fusion[0].bias.fill_(0.25)
    vectors = region_vectors(features, logits.softmax(1), threshold=0.5)
    expected = 2 * vectors[:, 0] - vectors[:, 1] + 0.5 * vectors[:, 2] + 0.25
    torch.testing.assert_close(module(features, logits), expected / (1 + 1e-5) ** 0.5)  # fresh batch norm, eval


def test_fusion_has_the_six_parameters_of_the_published_counts_and_one_region_none():
    assert sum(p.numel() for p in attention((0, 1, 2)).parameters()) == 6
    assert sum(p.numel() for p in attention((0, 2)).parameters()) == 5
    assert sum(p.numel() for p in attention((1,)).parameters()) == 0
    features = torch.randn(2, 5, 4, 4)
    certain = logits_of(torch.tensor([0.0, 1.0, 0.0]).reshape(1, 3, 1, 1).expand(2, 3, 64, 64))
    torch.testing.assert_close(attention((1,))(features, certain), features.mean(dim=(2, 3)))
