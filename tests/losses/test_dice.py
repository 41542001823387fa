from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from bustle.core.errors import InputError
from bustle.core.types import MaskMeaning, MultiTaskOutput
from bustle.losses.dice import Dice, Options
from bustle.losses.setting import LossSetting

THREE = MaskMeaning(("tumour", "peritumoral", "background"), "softmax", (0,))
ONE = MaskMeaning(("lesion",), "sigmoid", (0,))


@pytest.mark.parametrize("smooth", [1e-5, 1.0])
def test_it_is_one_minus_soft_dice_per_case(smooth: float, make_batch):
    logits = 2 * torch.randn(3, 3, 16, 20)
    masks = (torch.rand(3, 16, 20) > 0.7).float() * 3
    masks[2] = 0
    value = Dice(Options(smooth=smooth), setting=LossSetting(mask_meaning=THREE))(
        MultiTaskOutput(logits, None), make_batch(masks, [0, 0, 0], [True, False, True])
    )
    probability = softmax(logits.numpy().astype(np.float64), axis=1)[:, 0]
    truth = masks.numpy() > 0
    losses = [
        1 - (2 * (p * t).sum() + smooth) / (p.sum() + t.sum() + smooth)
        for p, t in zip(probability, truth, strict=True)
    ]
    assert value.item() == pytest.approx((losses[0] + losses[2]) / 2, rel=1e-4)


def test_it_is_zero_for_a_right_mask_also_an_empty_one(make_batch):
    masks = torch.zeros(2, 16, 16)
    masks[0, 4:9, 4:9] = 1
    logits = torch.where(masks > 0, 40.0, -40.0).unsqueeze(1)
    loss = Dice(Options(), setting=LossSetting(mask_meaning=ONE))
    assert loss(MultiTaskOutput(logits, None), make_batch(masks, [0, 0])).item() == pytest.approx(0, abs=1e-6)
    assert loss(MultiTaskOutput(-logits, None), make_batch(masks, [0, 0])).item() > 0.9


def test_it_needs_a_mask(make_batch):
    with pytest.raises(InputError, match="dice needs a network with a mask"):
        Dice(Options(), setting=LossSetting())
    with pytest.raises(InputError, match="dice needs the map 'mask'"):
        Dice(Options(), setting=LossSetting(mask_meaning=ONE))(
            MultiTaskOutput(None, torch.zeros(1, 2)), make_batch(torch.zeros(1, 8, 8), [0])
        )
