"""LA-Net's location loss against NumPy (section 3.2)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.losses.location_cross_entropy import LocationCrossEntropy, Options, soft_truth
from bustle.losses.setting import LossSetting

LESION = MaskMeaning(("lesion",), "sigmoid", (0,))
SETTING = LossSetting(mask_meaning=LESION, map_meanings={"location": LESION})


def output(location: torch.Tensor) -> MultiTaskOutput:
    return MultiTaskOutput(torch.zeros(len(location), 1, 32, 40), None, aux_masks={"location": location})


def masks(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(count, 32, 40, generator=generator) > 0.6).float() * 2


def aligned(mask: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Bilinear values at places that run evenly from the first to the last pixel of each axis."""
    for axis, size in ((0, height), (1, width)):
        places = np.linspace(0, mask.shape[axis] - 1, size)
        low = np.minimum(places.astype(int), mask.shape[axis] - 2)
        part = (places - low).reshape([-1 if k == axis else 1 for k in range(2)])
        mask = np.take(mask, low, axis) * (1 - part) + np.take(mask, low + 1, axis) * part
    return mask


def test_it_is_the_mean_cross_entropy_with_the_soft_truth_of_the_located_cases(make_batch):
    torch.manual_seed(0)
    logits, lesions = 2 * torch.randn(3, 1, 5, 7), masks(3)
    value = LocationCrossEntropy(Options(), setting=SETTING)(
        output(logits), make_batch(lesions, [0, 0, 0], [True, False, True])
    )
    per_case = []
    for case in (0, 2):
        truth = aligned((lesions[case].numpy() > 0).astype(np.float64), 5, 7)
        assert ((truth > 0) & (truth < 1)).any()
        probability = 1 / (1 + np.exp(-logits[case, 0].numpy().astype(np.float64)))
        per_case.append(-(truth * np.log(probability) + (1 - truth) * np.log(1 - probability)).mean())
    assert value.item() == pytest.approx(np.mean(per_case))


def test_a_pseudo_mask_counts_its_weight(make_batch):
    torch.manual_seed(0)
    logits, loss = torch.randn(2, 1, 4, 4), LocationCrossEntropy(Options(), setting=SETTING)
    batch = make_batch(masks(2), [0, 0])
    drawn, pseudo = (loss(output(logits[i : i + 1]), make_batch(masks(2)[i : i + 1], [0])).item() for i in (0, 1))
    batch.mask_weight = torch.tensor([1.0, 0.1])
    assert loss(output(logits), batch).item() == pytest.approx((drawn + 0.1 * pseudo) / 2)
    batch.mask_weight = torch.tensor([1.0, 0.0])  # α = 0 leaves what the drawn masks give
    assert loss(output(logits), batch).item() == pytest.approx(drawn / 2)


def test_a_mask_of_ones_is_not_the_best_answer(make_batch):
    """The printed one-term form would prefer it."""
    loss, batch = LocationCrossEntropy(Options(), setting=SETTING), make_batch(masks(2), [0, 0])
    truth = soft_truth(batch, size=(4, 5)).clamp(0.01, 0.99).unsqueeze(1)
    right, ones = loss(output(torch.logit(truth)), batch), loss(output(torch.full((2, 1, 4, 5), 9.0)), batch)
    assert right < ones


def test_a_map_that_was_enlarged_to_the_image_comes_back(make_batch):
    """So the pseudo mask, which is drawn at the image's size, means the map's own binary form."""
    generator = torch.Generator().manual_seed(1)
    probability = torch.rand(4, 1, 8, 8, generator=generator)
    enlarged = F.interpolate(probability, size=(256, 256), mode="bilinear", align_corners=True)[:, 0]
    again = soft_truth(make_batch((enlarged > 0.5).float(), [0] * 4), size=(8, 8))
    clear = (probability[:, 0] - 0.5).abs() > 0.02
    assert clear.float().mean() > 0.9
    assert torch.equal(again[clear].round(), (probability[:, 0] > 0.5).float()[clear])


def test_it_needs_its_map():
    with pytest.raises(InputError, match="unknown map of loss location_cross_entropy 'location'"):
        LocationCrossEntropy(Options(), setting=LossSetting(mask_meaning=LESION))
