from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import logsumexp, softmax

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.losses.consistency import Consistency, Options
from bustle.losses.setting import LossSetting

THREE = MaskMeaning(("gland", "lesion", "background"), "softmax", (1,))
ONE = MaskMeaning(("lesion",), "sigmoid", (0,))
CLASSES = ("benign", "malignant", "normal")


def consistency(meaning: MaskMeaning = ONE, *, sharpness: float = 50.0) -> Consistency:
    setting = LossSetting(mask_meaning=meaning, classes=CLASSES)
    return Consistency(Options(sharpness=sharpness), setting=setting)


def says(name: str) -> torch.Tensor:
    """Class logits of one case, certain of one class."""
    return torch.tensor([[40.0 * (name == other) for other in CLASSES]])


def draws(pixels: int, *, size: int = 64) -> torch.Tensor:
    """Mask logits of one case with that many certain lesion pixels."""
    logits = torch.full((1, 1, size, size), -40.0)
    logits.view(-1)[:pixels] = 40.0
    return logits


@pytest.mark.parametrize("sharpness", [5.0, 50.0])
def test_it_is_the_squared_difference_of_the_smooth_maximum_and_the_class(sharpness: float, make_batch):
    generator = torch.Generator().manual_seed(0)
    mask = 2 * torch.randn(4, 3, 16, 20, generator=generator)
    classes = torch.randn(4, 3, generator=generator)
    batch = make_batch(torch.zeros(4, 16, 20), [-1, 0, 2, -1], [False, True, True, False])
    found = consistency(THREE, sharpness=sharpness)(MultiTaskOutput(mask, classes), batch).item()
    lesion = softmax(mask.numpy().astype(np.float64), axis=1)[:, 1].reshape(4, -1)
    drawn = (logsumexp(sharpness * lesion, axis=1) - np.log(16 * 20)) / sharpness
    normal = softmax(classes.numpy().astype(np.float64), axis=1)[:, 2]
    assert found == pytest.approx(np.mean((drawn - 1 + normal) ** 2))
    assert (drawn <= lesion.max(axis=1)).all()
    assert (drawn >= lesion.mean(axis=1)).all()


def test_agreement_is_cheap_and_both_contradictions_cost_about_one(make_batch):
    loss, batch = consistency(), make_batch(torch.zeros(1, 64, 64), [0])

    def cost(name: str, pixels: int) -> float:
        return loss(MultiTaskOutput(draws(pixels), says(name)), batch).item()

    assert cost("normal", 0) == pytest.approx(0, abs=1e-6)
    for name in ("benign", "malignant"):
        assert cost(name, 400) < 0.01
        assert cost(name, 0) == pytest.approx(1, abs=1e-3)
    assert cost("normal", 400) > 0.85
    assert cost("normal", 12) > 0.7  # a third of a percent of the image


def test_both_tasks_are_pulled_towards_each_other(make_batch):
    mask, classes = draws(400, size=64) / 40, says("normal") / 40
    mask.requires_grad_(True)
    classes.requires_grad_(True)
    consistency()(MultiTaskOutput(mask, classes), make_batch(torch.zeros(1, 64, 64), [-1], [False])).backward()
    assert mask.grad is not None
    assert classes.grad is not None
    assert (mask.grad >= 0).all()  # no pixel is pushed up while the drawing should fall
    assert mask.grad.max() > 0
    assert classes.grad[0, 2] > 0  # normal should fall
    assert (classes.grad[0, :2] < 0).all()


def test_extreme_logits_stay_finite(make_batch):
    batch = make_batch(torch.zeros(2, 8, 8), [0, 1])
    mask = torch.full((2, 1, 8, 8), 1e4, requires_grad=True)
    classes = torch.tensor([[0.0, 0.0, 1e4], [1e4, 0.0, 0.0]], requires_grad=True)
    value = consistency(sharpness=500.0)(MultiTaskOutput(mask, classes), batch)
    value.backward()
    assert value.item() == pytest.approx(0.5)
    assert torch.isfinite(mask.grad).all()  # type: ignore[arg-type]
    assert torch.isfinite(classes.grad).all()  # type: ignore[arg-type]


def test_it_needs_a_normal_class_an_outline_and_a_positive_sharpness(make_batch):
    with pytest.raises(InputError, match=r"needs the class 'normal' among data.classes \(benign, malignant\)"):
        Consistency(Options(), setting=LossSetting(mask_meaning=ONE, classes=("benign", "malignant")))
    with pytest.raises(InputError, match="consistency needs a network with a mask"):
        Consistency(Options(), setting=LossSetting(classes=CLASSES))
    with pytest.raises(InputError, match="consistency needs classes"):
        consistency()(MultiTaskOutput(draws(0), None), make_batch(torch.zeros(1, 64, 64), [0]))
    with pytest.raises(ValueError, match="sharpness must be positive"):
        Options(sharpness=0)
