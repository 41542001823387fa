from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
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
    assert value.item() == pytest.approx((losses[0] + losses[2]) / 2)


def test_over_the_batch_it_is_one_minus_soft_dice_of_all_pixels_together(make_batch):
    torch.manual_seed(0)
    logits = 2 * torch.randn(4, 1, 16, 20)
    masks = (torch.rand(4, 16, 20) > 0.8).float()
    masks[1] = 0
    batch = make_batch(masks, [0] * 4, [True, True, False, True])
    batch.mask_weight = torch.tensor([1.0, 1.0, 1.0, 0.25])
    value = Dice(Options(over="batch", smooth=1e-5), setting=LossSetting(mask_meaning=ONE))(
        MultiTaskOutput(logits, None), batch
    )
    p, y, overlap, mass = expit(logits.numpy().astype(np.float64))[:, 0], masks.numpy(), 0.0, 0.0
    for case, weight in ((0, 1.0), (1, 1.0), (3, 0.25)):
        overlap += weight * 2 * (p[case] * y[case]).sum()
        mass += weight * (p[case].sum() + y[case].sum())
    assert value.item() == pytest.approx(1 - (overlap + 1e-5) / (mass + 1e-5))


@pytest.mark.parametrize("over", ["case", "batch"])
def test_squared_denominators_and_both_channels_follow_their_formula(over: str, make_batch):
    torch.manual_seed(0)
    logits = 2 * torch.randn(3, 1, 12, 10)
    masks = (torch.rand(3, 12, 10) > 0.8).float()
    masks[1] = 0
    options = Options(over=over, squared=True, channels="all", smooth=0.5)  # type: ignore[arg-type]
    value = Dice(options, setting=LossSetting(mask_meaning=ONE))(
        MultiTaskOutput(logits, None), make_batch(masks, [0] * 3)
    )
    lesion, truth = expit(logits.numpy().astype(np.float64))[:, 0], masks.numpy().astype(np.float64)
    losses = []
    for p, y in ((lesion, truth), (1 - lesion, 1 - truth)):
        overlap, mass = 2 * (p * y).sum(axis=(1, 2)), (p**2 + y**2).sum(axis=(1, 2))
        if over == "batch":
            overlap, mass = overlap.sum(keepdims=True), mass.sum(keepdims=True)
        losses.append((1 - (overlap + 0.5) / (mass + 0.5)).mean())
    assert value.item() == pytest.approx(np.mean(losses))


def test_a_blob_on_a_normal_image_is_felt_in_both_channels_only(make_batch):
    """The lesion channel alone saturates: with an empty truth its gradient falls with the square of what is drawn."""

    def greatest_gradient(channels: str) -> float:
        logits = torch.full((1, 1, 64, 64), -6.0)
        logits[:, :, 20:40, 20:40] = 3.0
        logits.requires_grad_(True)
        options = Options(squared=True, channels=channels)  # type: ignore[arg-type]
        loss = Dice(options, setting=LossSetting(mask_meaning=ONE))
        loss(MultiTaskOutput(logits, None), make_batch(torch.zeros(1, 64, 64), [0])).backward()
        assert logits.grad is not None
        return float(logits.grad.abs().max())

    assert greatest_gradient("all") > 5 * greatest_gradient("lesion")


def test_over_a_batch_without_masks_it_is_zero(make_batch):
    logits = torch.randn(2, 1, 8, 8, requires_grad=True)
    value = Dice(Options(over="batch"), setting=LossSetting(mask_meaning=ONE))(
        MultiTaskOutput(logits, None), make_batch(torch.ones(2, 8, 8), [0, 0], [False, False])
    )
    value.backward()
    assert value.item() == 0


def test_cases_count_as_much_as_their_mask_weighs(make_batch):
    logits, masks = torch.randn(2, 1, 8, 8), (torch.rand(2, 8, 8) > 0.5).float()
    loss = Dice(Options(), setting=LossSetting(mask_meaning=ONE))
    alone = [loss(MultiTaskOutput(logits[i : i + 1], None), make_batch(masks[i : i + 1], [0])).item() for i in (0, 1)]
    batch = make_batch(masks, [0, 0])
    batch.mask_weight = torch.tensor([1.0, 0.1])
    value = loss(MultiTaskOutput(logits, None), batch)
    assert value.item() == pytest.approx((alone[0] + 0.1 * alone[1]) / 2)


def test_a_smaller_map_is_compared_with_the_nearest_pixels(make_batch):
    logits = {"coarse": torch.randn(2, 1, 5, 4)}
    masks = (torch.rand(2, 15, 20) > 0.5).float()  # every third row, every fifth column decides
    setting = LossSetting(mask_meaning=ONE, map_meanings={"coarse": ONE})
    value = Dice(Options(map="coarse"), setting=setting)(
        MultiTaskOutput(torch.zeros(2, 1, 15, 20), None, logits), make_batch(masks, [0, 0])
    )
    p, y = expit(logits["coarse"].numpy().astype(np.float64))[:, 0], masks.numpy()[:, 1::3, 2::5]
    losses = [1 - (2 * (a * b).sum() + 1) / (a.sum() + b.sum() + 1) for a, b in zip(p, y, strict=True)]
    assert value.item() == pytest.approx(np.mean(losses))


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
