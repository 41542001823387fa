from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt
from scipy.special import expit

from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.losses.boundary import Boundary, Options
from bustle.losses.setting import LossSetting

ONE = MaskMeaning(("lesion",), "sigmoid", (0,))


def lesions() -> torch.Tensor:
    masks = torch.zeros(3, 24, 32)
    masks[0, 4:12, 6:20] = 1
    masks[0, 16:20, 24:30] = 2
    masks[2, 0:9, 0:9] = 1
    return masks


def test_it_is_the_mean_of_error_times_distance(make_batch):
    logits = 2 * torch.randn(3, 1, 24, 32)
    batch = make_batch(lesions(), [0, 0, 0])
    batch.mask_weight = torch.tensor([1.0, 1.0, 0.5])
    value = Boundary(Options(), setting=LossSetting(mask_meaning=ONE))(MultiTaskOutput(logits, None), batch)
    p, y = expit(logits.numpy().astype(np.float64))[:, 0], lesions().numpy() > 0
    costs = []
    for case in (0, 2):
        distance = np.where(y[case], distance_transform_edt(y[case]), distance_transform_edt(~y[case])) / 40.0
        costs.append((np.abs(p[case] - y[case]) * distance).mean())
    assert value.item() == pytest.approx((costs[0] + 0 + 0.5 * costs[1]) / 3)  # the second has no lesion


def test_its_gradient_is_that_of_the_published_form(make_batch):
    """Kervadec et al.: the integral of the signed distance times the probability."""
    logits = torch.randn(1, 1, 24, 32, requires_grad=True)
    mask = lesions()[:1]
    loss = Boundary(Options(), setting=LossSetting(mask_meaning=ONE))
    loss(MultiTaskOutput(logits, None), make_batch(mask, [0])).backward()
    y = mask[0].numpy() > 0
    signed = (distance_transform_edt(~y) - distance_transform_edt(y)) / 40.0
    p = expit(logits.detach().numpy().astype(np.float64))[0, 0]
    assert logits.grad is not None
    rounding = 2 * np.finfo(np.float32).eps  # square, root, difference and quotient of the distances, each eps / 2
    np.testing.assert_allclose(logits.grad[0, 0], signed * p * (1 - p) / y.size, rtol=rounding)


def test_a_right_mask_costs_nothing_and_a_far_one_more_than_a_near_one(make_batch):
    mask = torch.zeros(1, 32, 32)
    mask[0, 8:16, 8:16] = 1
    loss, batch = Boundary(Options(), setting=LossSetting(mask_meaning=ONE)), make_batch(mask, [0])

    def cost(shift: int) -> float:
        found = torch.where(mask.roll(shift, dims=2) > 0, 50.0, -50.0).unsqueeze(1)
        return loss(MultiTaskOutput(found, None), batch).item()

    assert cost(0) == pytest.approx(0, abs=1e-9)
    assert 0 < cost(1) < cost(4) < cost(12)


def test_a_smaller_map_has_its_own_distances(make_batch):
    mask = torch.zeros(1, 32, 32)
    mask[0, 8:16, 8:24] = 1
    maps = {"coarse": torch.randn(1, 1, 8, 8)}
    small = Boundary(Options(map="coarse"), setting=LossSetting(map_meanings={"coarse": ONE}))(
        MultiTaskOutput(None, None, maps), make_batch(mask, [0])
    )
    plain = Boundary(Options(), setting=LossSetting(mask_meaning=ONE))(
        MultiTaskOutput(maps["coarse"], None), make_batch(mask[:, ::4, ::4], [0])
    )
    torch.testing.assert_close(small, plain)
