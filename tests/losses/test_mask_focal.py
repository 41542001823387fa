from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from torchvision.ops import sigmoid_focal_loss

from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.losses.mask_cross_entropy import MaskCrossEntropy
from bustle.losses.mask_cross_entropy import Options as CrossEntropyOptions
from bustle.losses.mask_focal import MaskFocal, Options
from bustle.losses.setting import LossSetting

THREE = MaskMeaning(("tumour", "peritumoral", "background"), "softmax", (0,))
ONE = MaskMeaning(("lesion",), "sigmoid", (0,))


@pytest.mark.parametrize("alpha", [None, 0.25, 0.8])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("meaning", [THREE, ONE])
def test_it_is_the_focal_loss_of_every_pixel(meaning: MaskMeaning, gamma: float, alpha: float | None, make_batch):
    logits = 2 * torch.randn(3, len(meaning.channels), 10, 12)
    masks = (torch.rand(3, 10, 12) > 0.7).float() * 2
    value = MaskFocal(Options(gamma=gamma, alpha=alpha), setting=LossSetting(mask_meaning=meaning))(
        MultiTaskOutput(logits, None), make_batch(masks, [0, 0, 0], [True, False, True])
    )
    wide = logits.numpy().astype(np.float64)
    p = (softmax(wide, axis=1) if len(meaning.channels) > 1 else expit(wide))[[0, 2], 0]
    y = masks.numpy()[[0, 2]] > 0
    right = np.where(y, p, 1 - p)
    weight = 1.0 if alpha is None else np.where(y, alpha, 1 - alpha)
    assert value.item() == pytest.approx((-weight * (1 - right) ** gamma * np.log(right)).mean())


@pytest.mark.parametrize("alpha", [None, 0.25])
def test_it_agrees_with_torchvision(alpha: float | None, make_batch):
    logits, masks = 3 * torch.randn(2, 1, 16, 16), (torch.rand(2, 16, 16) > 0.8).float()
    value = MaskFocal(Options(alpha=alpha), setting=LossSetting(mask_meaning=ONE))(
        MultiTaskOutput(logits, None), make_batch(masks, [0, 0])
    )
    theirs = sigmoid_focal_loss(logits[:, 0], masks, alpha=-1 if alpha is None else alpha, gamma=2, reduction="mean")
    assert value.item() == pytest.approx(theirs.item())


def test_gamma_zero_is_the_cross_entropy_also_of_a_smaller_map(make_batch):
    maps = {"coarse": torch.randn(2, 1, 4, 4)}
    out, batch = MultiTaskOutput(None, None, maps), make_batch((torch.rand(2, 16, 16) > 0.5).float(), [0, 0])
    batch.mask_weight = torch.tensor([1.0, 0.3])
    setting = LossSetting(map_meanings={"coarse": ONE})
    focal = MaskFocal(Options(gamma=0, alpha=None, map="coarse"), setting=setting)(out, batch)
    plain = MaskCrossEntropy(CrossEntropyOptions(map="coarse"), setting=setting)(out, batch)
    torch.testing.assert_close(focal, plain)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_certain_pixels_keep_a_finite_gradient(gamma: float, make_batch):
    logits = torch.tensor([300.0, -300.0]).reshape(1, 1, 1, 2).repeat(1, 1, 2, 1).requires_grad_()
    masks = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    MaskFocal(Options(gamma=gamma), setting=LossSetting(mask_meaning=ONE))(
        MultiTaskOutput(logits, None), make_batch(masks, [0])
    ).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad[0, 0, 1].abs() > 0).all()


@pytest.mark.parametrize(
    ("options", "message"), [({"gamma": -1}, "gamma must not"), ({"alpha": 1.5}, "alpha must be")]
)
def test_impossible_options_are_refused(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        Options(**options)
