from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.core.types import Batch
from bustle.losses.coarse_dice import CoarseDice, Options
from bustle.losses.setting import LossSetting

THREE = MaskMeaning(("gland", "lesion", "background"), "softmax", (1,))
TWO = MaskMeaning(("lesion", "background"), "softmax", (0,))


def coarse_dice(meaning: MaskMeaning, *, smooth: float = 1.0) -> CoarseDice:
    setting = LossSetting(mask_meaning=TWO, map_meanings={"coarse": meaning})
    return CoarseDice(Options(smooth=smooth), setting=setting)


def output(logits: torch.Tensor) -> MultiTaskOutput:
    return MultiTaskOutput(None, None, {"coarse": logits})


@pytest.fixture
def batch(make_batch) -> Batch:
    """Four cases: with gland mask, without one, without a lesion, and without any mask."""
    masks = torch.zeros(4, 16, 20)
    masks[:2, 6:10, 5:14] = 2
    made = make_batch(masks, [0, 0, 0, 0], [True, True, True, False])
    made.gland_mask[:, 4:12] = 1
    made.has_gland = torch.tensor([True, False, True, True])
    return made


def dice_loss(probability: np.ndarray, truth: np.ndarray, smooth: float) -> float:
    return 1 - (2 * (probability * truth).sum() + smooth) / (probability.sum() + truth.sum() + smooth)


@pytest.mark.parametrize("smooth", [1.0, 0.1])
def test_it_is_the_mean_dice_loss_of_the_classes_that_the_case_tells(smooth: float, batch: Batch):
    logits = 2 * torch.randn(4, 3, 16, 20, generator=torch.Generator().manual_seed(0))
    found = coarse_dice(THREE, smooth=smooth)(output(logits), batch).item()
    probability = softmax(logits.numpy().astype(np.float64), axis=1)
    lesion, gland = batch.lesion_mask.numpy() > 0, batch.gland_mask.numpy() > 0
    per_case = []
    for case in range(3):
        truths = (gland[case] & ~lesion[case], lesion[case], ~gland[case] & ~lesion[case])
        losses = [dice_loss(probability[case, k], truths[k], smooth) for k in range(3)]
        per_case.append(np.mean(losses) if batch.has_gland[case] else losses[1])
    assert found == pytest.approx(np.mean(per_case))


def test_without_a_gland_channel_lesion_and_rest_count_for_every_case(batch: Batch):
    logits = torch.randn(4, 2, 16, 20, generator=torch.Generator().manual_seed(0))
    probability = softmax(logits.numpy().astype(np.float64), axis=1)
    lesion = batch.lesion_mask.numpy() > 0
    expected = [
        (dice_loss(probability[case, 0], lesion[case], 1) + dice_loss(probability[case, 1], ~lesion[case], 1)) / 2
        for case in range(3)
    ]
    assert coarse_dice(TWO)(output(logits), batch).item() == pytest.approx(np.mean(expected))


def test_the_right_partition_costs_nothing(batch: Batch):
    lesion, gland = batch.lesion_mask > 0, batch.gland_mask > 0
    truth = torch.stack([gland & ~lesion, lesion, ~gland & ~lesion], dim=1)
    assert coarse_dice(THREE)(output(60.0 * truth), batch).item() == pytest.approx(0, abs=1e-6)
    assert coarse_dice(THREE)(output(-60.0 * truth), batch).item() > 0.5


def test_a_case_without_a_gland_mask_teaches_only_the_lesion_channel(batch: Batch):
    """Moving probability between gland and background changes nothing for it."""
    logits = torch.randn(4, 3, 16, 20)
    logits[:, 2] = logits[:, 0]
    logits.requires_grad_(True)
    coarse_dice(THREE)(output(logits), batch).backward()
    grad = logits.grad
    assert grad is not None
    torch.testing.assert_close(grad[1, 0], grad[1, 2])
    assert grad[1].abs().max() > 0
    assert not torch.allclose(grad[0, 0], grad[0, 2])
    assert grad[3].abs().max() == 0


def test_the_truth_of_a_smaller_map_stays_a_partition(batch: Batch):
    loss = coarse_dice(THREE)
    truth = loss._truth(batch, size=torch.Size((5, 7)))
    assert truth.shape == (4, 3, 5, 7)
    assert torch.equal(truth.sum(dim=1), torch.ones(4, 5, 7))
    assert set(truth.unique().tolist()) == {0.0, 1.0}


def test_it_refuses_what_it_cannot_use(batch: Batch):
    with pytest.raises(InputError, match=r"coarse_dice cannot use the channels \(tumour, background\)"):
        coarse_dice(MaskMeaning(("tumour", "background"), "softmax", (0,)))
    with pytest.raises(InputError, match="cannot use the channels"):
        coarse_dice(MaskMeaning(("lesion", "background"), "sigmoid", (0,)))
    with pytest.raises(InputError, match="unknown map of loss coarse_dice 'coarse'"):
        CoarseDice(Options(), setting=LossSetting(mask_meaning=TWO))
    with pytest.raises(InputError, match="coarse_dice needs the map 'coarse'"):
        coarse_dice(TWO)(MultiTaskOutput(torch.zeros(4, 2, 16, 20), None), batch)
    with pytest.raises(ValueError, match="smooth must be positive"):
        Options(smooth=0)
