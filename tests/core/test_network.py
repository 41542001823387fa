"""From the probabilities of mask channels to the lesion: one rule for arrays and for tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bustle.core.network import MaskMeaning

REGIONS = MaskMeaning(("tumour", "ring", "background"), "softmax", (0,))
PER_CLASS = MaskMeaning(("background", "benign", "malignant"), "softmax", (1, 2))
BINARY = MaskMeaning(("lesion",), "sigmoid", (0,))
INDEPENDENT = MaskMeaning(("benign", "gland", "malignant"), "sigmoid", (0, 2))


def pixels(*columns: tuple[float, ...]) -> np.ndarray:
    """Channel probabilities `K 1 N`, one tuple of K per pixel."""
    return np.array(columns, np.float32).T[:, None, :]


def test_three_regions_only_the_tumour_is_lesion():
    channels = pixels((0.40, 0.35, 0.25), (0.45, 0.50, 0.05), (0.1, 0.2, 0.7))
    assert REGIONS.lesion_mask(channels).tolist() == [[True, False, False]]
    assert np.allclose(REGIONS.lesion_probability(channels), [[0.40, 0.45, 0.1]])


def test_one_map_per_class_adds_up():
    channels = pixels((0.40, 0.30, 0.30), (0.20, 0.30, 0.50), (0.34, 0.33, 0.33))
    assert PER_CLASS.lesion_mask(channels).tolist() == [[False, True, False]]
    assert np.allclose(PER_CLASS.lesion_probability(channels), [[0.6, 0.8, 0.66]])


def test_a_lesion_that_only_draws_level_is_not_drawn():
    assert PER_CLASS.lesion_mask(pixels((0.4, 0.4, 0.2), (0.2, 0.2, 0.6))).tolist() == [[False, True]]


def test_sigmoid_is_cut_at_one_half():
    assert BINARY.lesion_mask(pixels((0.49,), (0.5,), (0.51,))).tolist() == [[False, False, True]]


def test_logits_become_probabilities_in_full_precision():
    logits = torch.tensor([[[1.0, 0.0]], [[3.0, 0.0]], [[4.0, 2.0]]]).log().bfloat16().movedim(0, 1)
    shares = REGIONS.channel_probabilities(logits)
    assert shares.dtype == torch.float32
    torch.testing.assert_close(shares[0, :, 0], torch.tensor([1.0, 3.0, 4.0]) / 8, atol=0.004, rtol=0)
    odds = INDEPENDENT.channel_probabilities(torch.tensor([1.0, 3.0, 4.0]).log().view(1, 3, 1))
    torch.testing.assert_close(odds[0, :, 0], torch.tensor([1 / 2, 3 / 4, 4 / 5]))


@pytest.mark.parametrize("meaning", [REGIONS, PER_CLASS, BINARY, INDEPENDENT], ids=lambda m: "-".join(m.channels))
def test_a_batch_of_tensors_means_what_its_arrays_mean(meaning: MaskMeaning):
    torch.manual_seed(0)
    probabilities = meaning.channel_probabilities(torch.randn(2, len(meaning.channels), 7, 5, 3))
    channels = probabilities.unbind(dim=1)
    found = zip(meaning.lesion_probability(channels), meaning.lesion_mask(channels), strict=True)
    masks = []
    for case, (probability, mask) in zip(probabilities.numpy(), found, strict=True):
        assert np.array_equal(meaning.lesion_probability(case), probability.numpy())
        assert np.array_equal(meaning.lesion_mask(case), mask.numpy())
        masks.append(mask)
    assert 0 < torch.stack(masks).float().mean() < 1


def test_a_loss_reaches_the_lesion_channels_alone():
    logits = torch.randn(1, 3, 4, requires_grad=True)
    INDEPENDENT.lesion_probability(INDEPENDENT.channel_probabilities(logits).unbind(dim=1)).sum().backward()
    assert logits.grad is not None
    assert (logits.grad[0] != 0).all(dim=1).tolist() == [True, False, True]
