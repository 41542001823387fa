from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.losses.mask_cross_entropy import MaskCrossEntropy, Options
from bustle.losses.setting import LossSetting

THREE = MaskMeaning(("tumour", "peritumoral", "background"), "softmax", (0,))
PER_CLASS = MaskMeaning(("benign", "malignant", "background"), "softmax", (0, 1))
ONE = MaskMeaning(("lesion",), "sigmoid", (0,))


@pytest.mark.parametrize("meaning", [THREE, PER_CLASS, ONE])
def test_it_is_the_binary_cross_entropy_of_the_lesion_map(meaning: MaskMeaning, make_batch):
    logits = 2 * torch.randn(3, len(meaning.channels), 16, 20)
    masks = (torch.rand(3, 16, 20) > 0.7).float() * 2
    value = MaskCrossEntropy(Options(), setting=LossSetting(mask_meaning=meaning))(
        MultiTaskOutput(logits, None), make_batch(masks, [0, 0, 0], [True, True, False])
    )
    activated = softmax(logits.numpy().astype(np.float64), axis=1) if len(meaning.channels) > 1 else expit(logits)
    p = np.asarray(activated)[:2, list(meaning.lesion_channels)].sum(axis=1)
    truth = masks.numpy()[:2] > 0
    assert value.item() == pytest.approx(-np.log(np.where(truth, p, 1 - p)).mean())


@pytest.mark.parametrize("meaning", [THREE, ONE])
def test_it_stays_finite_where_the_probability_rounds_to_nothing(meaning: MaskMeaning, make_batch):
    logits = torch.zeros(1, len(meaning.channels), 8, 8)
    logits[:, 0] = -300
    logits.requires_grad_()
    value = MaskCrossEntropy(Options(), setting=LossSetting(mask_meaning=meaning))(
        MultiTaskOutput(logits, None), make_batch(torch.ones(1, 8, 8), [0])
    )
    value.backward()
    assert value.item() == pytest.approx(300, abs=1)
    assert logits.grad is not None
    assert logits.grad.abs().max() > 0


@pytest.mark.parametrize("truth", ["nearest", "area"])
def test_the_truth_of_a_smaller_map_is_hard_or_soft(truth: str, make_batch):
    maps = {"coarse": torch.randn(2, 1, 5, 4)}
    masks = (torch.rand(2, 15, 20) > 0.5).float() * 2
    setting = LossSetting(mask_meaning=THREE, map_meanings={"coarse": ONE})
    value = MaskCrossEntropy(Options(map="coarse", truth=truth), setting=setting)(  # type: ignore[arg-type]
        MultiTaskOutput(torch.zeros(2, 3, 15, 20), None, maps), make_batch(masks, [0, 0])
    )
    pixels = masks.numpy() > 0
    y = pixels[:, 1::3, 2::5] if truth == "nearest" else pixels.reshape(2, 5, 3, 4, 5).mean(axis=(2, 4))
    p = expit(maps["coarse"].numpy().astype(np.float64))[:, 0]
    assert value.item() == pytest.approx(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())


def test_a_map_that_the_network_does_not_give_is_told(make_batch):
    loss = MaskCrossEntropy(Options(map="coarse"), setting=LossSetting(map_meanings={"coarse": ONE}))
    with pytest.raises(InputError, match="mask_cross_entropy needs the map 'coarse'"):
        loss(MultiTaskOutput(torch.zeros(1, 1, 8, 8), None), make_batch(torch.zeros(1, 8, 8), [0]))


def test_it_needs_a_network_with_a_mask():
    with pytest.raises(InputError, match="mask_cross_entropy needs a network with a mask"):
        MaskCrossEntropy(Options(), setting=LossSetting())
