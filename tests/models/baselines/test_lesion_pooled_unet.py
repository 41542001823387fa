from __future__ import annotations

import dataclasses

import pytest
import torch

from bustle.core.errors import InputError
from bustle.models.baselines.lesion_pooled_unet import SPEC, LesionPooledHead, lesion_share


def test_cells_share_the_lesion_among_themselves():
    probability = torch.zeros(1, 1, 8, 8)
    probability[..., :4, :4] = 1.0  # all of the first cell
    probability[..., 4:, 4:] = 0.5
    share = lesion_share(probability, size=(2, 2))
    assert torch.allclose(share.flatten(), torch.tensor([1.0, 0.0, 0.0, 0.5]) / 1.5, atol=1e-3)


def test_where_nothing_is_drawn_the_lesion_says_nothing():
    share = lesion_share(torch.full((1, 1, 8, 8), 1e-7), size=(2, 2))
    assert share.sum() < 1e-3


def test_the_class_logits_are_a_sum_over_cells():
    """By hand: both poolings are weighted means, so that every cell's part of the logits can be told."""
    torch.manual_seed(0)
    head = LesionPooledHead((3, 5), width=4, class_count=3, dropout=0.0).eval()
    fine, coarse = torch.rand(1, 3, 4, 4), torch.rand(1, 5, 2, 2)
    lesion = torch.rand(1, 1, 16, 16)
    joined = torch.cat([fine, torch.nn.functional.interpolate(coarse, size=(4, 4), mode="bilinear")], dim=1)
    features = head.features(joined)[0]
    share = lesion_share(lesion, size=(4, 4))[0, 0]
    total = head.of_image.bias.clone()
    for y in range(4):
        for x in range(4):
            cell = features[:, y, x]
            total += head.of_image.weight @ cell / 16 + head.of_lesion.weight @ cell * share[y, x]
    assert torch.allclose(head([fine, coarse], lesion)[0], total)


def test_the_classes_do_not_pull_at_the_outline():
    head = LesionPooledHead((3, 5), width=4, class_count=3, dropout=0.0).eval()
    lesion = torch.rand(1, 1, 16, 16, requires_grad=True)
    head([torch.rand(1, 3, 4, 4), torch.rand(1, 5, 2, 2)], lesion).sum().backward()
    assert lesion.grad is None


def test_widths_must_fit_the_backbone():
    config = dataclasses.replace(SPEC.tiny, decoder_channels=(8,))
    with pytest.raises(InputError, match="decoder_channels has 1 widths; this backbone needs"):
        SPEC.build(config, in_channels=1, class_count=3)
