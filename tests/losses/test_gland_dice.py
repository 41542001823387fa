from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.losses.gland_dice import GlandDice, Options
from bustle.losses.setting import LossSetting

ALONE = MaskMeaning(("gland",), "sigmoid", ())
COARSE = MaskMeaning(("background", "gland", "lesion"), "softmax", (2,))


def soft_dice(probability: np.ndarray, truth: np.ndarray, smooth: float) -> float:
    return 1 - (2 * (probability * truth).sum() + smooth) / (probability.sum() + truth.sum() + smooth)


@pytest.mark.parametrize("smooth", [1e-3, 1.0])
@pytest.mark.parametrize(("name", "meaning"), [("gland", ALONE), ("coarse", COARSE)])
def test_it_is_one_minus_soft_dice_of_cases_with_a_gland(name: str, meaning: MaskMeaning, smooth: float, make_batch):
    logits = 2 * torch.randn(3, len(meaning.channels), 12, 16)
    gland = (torch.rand(3, 12, 16) > 0.6).float()
    batch = make_batch(torch.zeros(3, 12, 16), [0, 0, 0], [False, True, True])  # lesion masks do not matter
    batch = replace(batch, gland_mask=gland, has_gland=torch.tensor([True, False, True]))
    loss = GlandDice(Options(map=name, smooth=smooth), setting=LossSetting(map_meanings={name: meaning}))
    value = loss(MultiTaskOutput(None, None, {name: logits}), batch)
    numbers = logits.numpy().astype(np.float64)
    probability = expit(numbers)[:, 0] if name == "gland" else softmax(numbers, axis=1)[:, 1]
    expected = [soft_dice(probability[case], gland[case].numpy(), smooth) for case in (0, 2)]
    assert value.item() == pytest.approx(np.mean(expected))


def test_a_smaller_map_is_compared_with_the_nearest_pixels(make_batch):
    gland = torch.zeros(1, 8, 8)
    gland[:, :, 4:] = 1
    batch = replace(
        make_batch(torch.zeros(1, 8, 8), [0]), gland_mask=gland, has_gland=torch.ones(1, dtype=torch.bool)
    )
    logits = torch.where(gland[:, None, ::2, ::2] > 0, 40.0, -40.0)
    loss = GlandDice(Options(), setting=LossSetting(map_meanings={"gland": ALONE}))
    assert loss(MultiTaskOutput(None, None, {"gland": logits}), batch).item() == pytest.approx(0, abs=1e-6)


def test_it_needs_a_map_of_the_gland():
    with pytest.raises(InputError, match="unknown map of loss gland_dice 'gland'"):
        GlandDice(Options(), setting=LossSetting())
    lesion = MaskMeaning(("lesion",), "sigmoid", (0,))
    with pytest.raises(InputError, match="the map 'mask' has no channel gland"):
        GlandDice(Options(map="mask"), setting=LossSetting(mask_meaning=lesion))
    with pytest.raises(ValueError, match="smooth must be positive"):
        Options(smooth=0)
