from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from bustle.core.config import from_mapping
from bustle.core.errors import InputError
from bustle.core.network import MultiTaskOutput
from bustle.losses.class_focal import ClassFocal, Options, class_weights
from bustle.losses.setting import LossSetting

TWO = LossSetting(classes=("benign", "malignant"), class_counts=(51, 119))
THREE = LossSetting(classes=("benign", "malignant", "normal"), class_counts=(30, 50, 20))


def value_of(options: Options, logits: torch.Tensor, labels: list[int], make_batch, *, setting: LossSetting) -> float:
    batch = make_batch(torch.zeros(len(labels), 8, 8), labels)
    return ClassFocal(options, setting=setting)(MultiTaskOutput(None, logits), batch).item()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_it_is_the_published_loss_of_two_classes(gamma: float, make_batch):
    """C_MSVNet, eq. 2 and 3, with p the probability of malignant."""
    torch.manual_seed(0)
    logits, labels = 2 * torch.randn(5, 2), [1, 0, -1, 1, 0]
    value = value_of(Options(gamma=gamma, balance="inverse_frequency"), logits, labels, make_batch, setting=TWO)
    n_n, n_m = 51, 119
    w_m, w_n = n_n / (n_m + n_n), n_m / (n_m + n_n)
    p = expit((logits[:, 1] - logits[:, 0]).numpy().astype(np.float64))
    terms = [
        -w_m * (1 - p[i]) ** gamma * np.log(p[i]) if labels[i] else -w_n * p[i] ** gamma * np.log(1 - p[i])
        for i in (0, 1, 3, 4)
    ]
    assert value == pytest.approx(np.mean(terms))


def test_it_is_the_general_form_for_three_classes(make_batch):
    logits, labels = torch.randn(4, 3), [2, 0, 1, 2]
    value = value_of(Options(gamma=1.5, balance=(1.0, 0.5, 3.0)), logits, labels, make_batch, setting=THREE)
    p = softmax(logits.numpy().astype(np.float64), axis=1)[range(4), labels]
    weights = np.array([1.0, 0.5, 3.0])[labels]
    assert value == pytest.approx((-weights * (1 - p) ** 1.5 * np.log(p)).mean())


def test_gamma_zero_is_the_weighted_cross_entropy(make_batch):
    """C_MSVNet, eq. 2 and 3: γ = 0 leaves the class weights."""
    logits, labels = torch.randn(4, 2), [0, 1, 1, 0]
    value = value_of(Options(gamma=0, balance="inverse_frequency"), logits, labels, make_batch, setting=TWO)
    w_n, w_m = class_weights("inverse_frequency", setting=TWO) or (0, 0)
    y = torch.tensor(labels).float()
    expected = F.binary_cross_entropy_with_logits(logits[:, 1] - logits[:, 0], y, weight=torch.where(y > 0, w_m, w_n))
    assert value == pytest.approx(expected.item())
    unweighted = value_of(Options(gamma=0), logits, labels, make_batch, setting=TWO)
    assert unweighted == pytest.approx(F.cross_entropy(logits, torch.tensor(labels)).item())


def test_it_agrees_with_torchvision(make_batch):
    logits, labels = torch.randn(6, 2), [0, 1, 1, 0, 1, 0]
    value = value_of(Options(balance="inverse_frequency"), logits, labels, make_batch, setting=TWO)
    expected = sigmoid_focal_loss(
        logits[:, 1] - logits[:, 0], torch.tensor(labels).float(), alpha=51 / 170, gamma=2, reduction="mean"
    )
    assert value == pytest.approx(expected.item())


def test_the_weights_of_two_classes_are_the_published_ones_and_sum_to_one():
    weights = class_weights("inverse_frequency", setting=TWO)
    assert weights == pytest.approx((119 / 170, 51 / 170))
    assert sum(class_weights("inverse_frequency", setting=THREE) or ()) == pytest.approx(1)
    assert class_weights("inverse_frequency", setting=THREE) == pytest.approx((0.35, 0.25, 0.4))


def test_without_a_training_part_the_classes_count_as_equally_common():
    unknown = LossSetting(classes=("benign", "malignant", "normal"))
    assert class_weights("inverse_frequency", setting=unknown) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_impossible_weights_are_told():
    lacking = LossSetting(classes=("benign", "malignant", "normal"), class_counts=(3, 4, 0))
    with pytest.raises(InputError, match=r"without training cases \(normal\); leave the class out"):
        ClassFocal(Options(balance="inverse_frequency"), setting=lacking)
    with pytest.raises(InputError, match="class_focal has 2 weights in balance; it needs 3"):
        ClassFocal(Options(balance=(1.0, 2.0)), setting=THREE)
    for balance in ([], [0, 0], [-1, 2]):
        with pytest.raises(InputError, match="balance needs weights"):
            from_mapping(Options, {"balance": balance}, where="loss class_focal")
    with pytest.raises(InputError, match="it must be one of none, inverse_frequency"):
        from_mapping(Options, {"balance": "frequency"}, where="loss class_focal")
    with pytest.raises(ValueError, match="gamma must not be negative"):
        Options(gamma=-1)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_certain_cases_keep_a_finite_gradient(gamma: float, make_batch):
    logits = torch.tensor([[300.0, -300.0], [-300.0, 300.0]], requires_grad=True)
    loss = ClassFocal(Options(gamma=gamma), setting=TWO)
    loss(MultiTaskOutput(None, logits), make_batch(torch.zeros(2, 8, 8), [0, 0])).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[1].abs().max() > 0


def test_it_trains_after_a_validation(make_batch):
    logits = torch.randn(2, 2, requires_grad=True)
    loss = ClassFocal(Options(balance=(0.123, 0.877)), setting=TWO)
    batch = make_batch(torch.zeros(2, 8, 8), [0, 1])
    with torch.inference_mode():
        loss(MultiTaskOutput(None, logits), batch)
    loss(MultiTaskOutput(None, logits), batch).backward()
    assert logits.grad is not None
