"""The three weightings against hand computations and an independent NumPy form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bustle.core.config import Component
from bustle.core.errors import InputError
from bustle.losses.weighting import WEIGHTINGS, DynamicAverageWeighting, Weighting, build_weighting

TASKS = ("cls", "seg")
STEPS = np.array(  # three epochs of four steps each
    [
        [[1.0, 2.0], [0.8, 1.9], [0.9, 1.8], [0.7, 1.9]],
        [[0.6, 1.7], [0.5, 1.8], [0.6, 1.6], [0.4, 1.7]],
        [[0.3, 1.6], [0.4, 1.7], [0.2, 1.5], [0.3, 1.6]],
    ]
)


def dwa(**options: object) -> DynamicAverageWeighting:
    weighting = build_weighting(Component("dynamic_average", options), tasks=TASKS)
    assert isinstance(weighting, DynamicAverageWeighting)
    return weighting


def losses(values: np.ndarray) -> dict[str, torch.Tensor]:
    return dict(zip(TASKS, torch.tensor(values, dtype=torch.float64).unbind(), strict=True))


def expected_weights(history: list[np.ndarray], temperature: float) -> np.ndarray:
    """Eq. 9 from the losses of all finished units of time."""
    ratio = history[-1] / history[-2] if len(history) >= 2 else np.ones(2)
    powers = np.exp(ratio / temperature)
    return 2 * powers / powers.sum()


@pytest.mark.parametrize("unit", ["epoch", "step"])
@pytest.mark.parametrize("temperature", [2.0, 0.5])
def test_dynamic_averaging_follows_the_equation_over_three_epochs(unit: str, temperature: float):
    weighting = dwa(unit=unit, temperature=temperature)
    history: list[np.ndarray] = []
    for epoch in STEPS:
        for step in epoch:
            weights = expected_weights(history, temperature)
            np.testing.assert_allclose(weighting.weights().numpy(), weights)
            assert weighting.weights().sum().item() == pytest.approx(2)
            assert weighting(losses(step)).item() == pytest.approx(float(weights @ step))
            if unit == "step":
                history.append(step)
        weighting.finish_epoch()
        if unit == "epoch":
            history.append(epoch.mean(axis=0))
    np.testing.assert_allclose(weighting.weights().numpy(), expected_weights(history, temperature))


def test_a_hand_computation_after_two_epochs():
    weighting = dwa()
    for epoch in STEPS[:2]:
        for step in epoch:
            weighting(losses(step))
        weighting.finish_epoch()
    # means .85 -> .525 and 1.9 -> 1.7: w = .6176, .8947; exp(w / 2) = 1.3618, 1.5642
    np.testing.assert_allclose(weighting.weights().numpy(), [0.9308, 1.0692], atol=1e-4)


@pytest.mark.parametrize("unit", ["epoch", "step"])
def test_losses_that_fall_alike_weigh_one_each(unit: str):
    weighting = dwa(unit=unit)
    for factor in (1.0, 0.5, 0.25):
        weighting(losses(np.array([0.6, 2.0]) * factor))
        weighting.finish_epoch()
    np.testing.assert_allclose(weighting.weights().numpy(), [1, 1])


def test_the_first_two_epochs_weigh_one_each():
    weighting = dwa()
    for epoch in STEPS[:2]:
        assert torch.equal(weighting.weights(), torch.ones(2))
        for step in epoch:
            weighting(losses(step))
        weighting.finish_epoch()
    assert not torch.equal(weighting.weights(), torch.ones(2))


def test_dynamic_weights_pass_no_gradient_of_their_own():
    weighting = dwa(unit="step")
    for step in STEPS[0]:
        weighting(losses(step))
    weights = weighting.weights()
    values = {name: torch.tensor(1.5, requires_grad=True) for name in TASKS}
    weighting(values).backward()
    assert [value.grad.item() for value in values.values()] == pytest.approx(weights.tolist())  # type: ignore[union-attr]
    assert not any(tensor.requires_grad for tensor in weighting.state_dict().values())


def test_a_step_without_a_task_s_annotations_does_not_silence_the_others():
    """A batch without masks has a mask loss of 0: growth from 0 says nothing about the task."""
    weighting = dwa(unit="step")
    for step in ([1.0, 1.0], [1.0, 0.0], [1.0, 1.0]):
        weighting(losses(np.array(step)))
    np.testing.assert_allclose(weighting.weights().numpy(), [1, 1])


def test_a_loss_of_zero_keeps_the_weights_finite():
    weighting = dwa(unit="step")
    for step in ([0.0, 1.0], [0.0, 1.0], [0.0, 0.5]):
        assert torch.isfinite(weighting(losses(np.array(step))))
    assert weighting.weights().sum().item() == pytest.approx(2)


def test_uncertainty_follows_its_formula_and_gradient():
    weighting = build_weighting(Component("uncertainty"), tasks=TASKS)
    (s,) = weighting.parameters()
    values = np.array([0.7, 2.5])
    assert weighting(losses(values)).item() == pytest.approx(values.sum())  # s = 0
    with torch.no_grad():
        s.copy_(torch.tensor([0.4, -0.3]))
    tensors = {name: tensor.requires_grad_(True) for name, tensor in losses(values).items()}
    total = weighting(tensors)
    total.backward()
    at = np.array([0.4, -0.3])
    assert total.item() == pytest.approx(float((np.exp(-at) * values + at / 2).sum()))
    np.testing.assert_allclose(s.grad.numpy(), -np.exp(-at) * values + 0.5)  # type: ignore[union-attr]
    np.testing.assert_allclose([t.grad.item() for t in tensors.values()], np.exp(-at))  # type: ignore[union-attr]


def test_uncertainty_learns_nothing_of_a_task_without_annotations():
    weighting = build_weighting(Component("uncertainty"), tasks=TASKS)
    (s,) = weighting.parameters()
    weighting(losses(np.array([0.5, 0.0]))).backward()
    np.testing.assert_allclose(s.grad.numpy(), [0.0, 0.0], atol=1e-7)  # type: ignore[union-attr]  # -0.5 + 1/2, none
    weighting(losses(np.array([2.0, 0.0]))).backward()
    np.testing.assert_allclose(s.grad.numpy(), [-1.5, 0.0], atol=1e-7)  # type: ignore[union-attr]


def test_uncertainty_settles_where_the_variance_is_twice_the_loss():
    """d/ds = 0 at exp(s) = 2 L."""
    weighting = build_weighting(Component("uncertainty"), tasks=TASKS)
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        weighting(losses(np.array([0.5, 2.0]))).backward()
        optimizer.step()
    (s,) = weighting.parameters()
    np.testing.assert_allclose(s.detach().exp().numpy(), [1.0, 4.0], rtol=1e-3)


def test_fixed_is_the_plain_sum():
    weighting = build_weighting(Component("fixed"), tasks=TASKS)
    assert weighting(losses(np.array([0.7, 2.5]))).item() == pytest.approx(3.2)
    assert weighting.state_dict() == {}


@pytest.mark.parametrize("name", sorted(WEIGHTINGS))
def test_in_evaluation_every_weighting_is_the_plain_sum_and_learns_nothing(name: str):
    weighting = trained(name)
    before = {key: value.clone() for key, value in weighting.state_dict().items()}
    weighting.eval()
    assert weighting(losses(np.array([0.7, 2.5]))).item() == pytest.approx(3.2)
    assert all(torch.equal(before[key], value) for key, value in weighting.state_dict().items())


@pytest.mark.parametrize("name", sorted(WEIGHTINGS))
def test_a_stored_weighting_goes_on_as_if_nothing_had_happened(name: str):
    first, second = trained(name), build_weighting(Component(name), tasks=TASKS)
    second.load_state_dict(first.state_dict(), strict=True)
    for epoch in STEPS:
        for step in epoch:
            assert torch.equal(first(losses(step)), second(losses(step)))
        for weighting in (first, second):
            if isinstance(weighting, DynamicAverageWeighting):
                weighting.finish_epoch()


def trained(name: str) -> Weighting:
    """One that has something to remember, in the middle of an epoch."""
    weighting = build_weighting(Component(name), tasks=TASKS)
    with torch.no_grad():
        for parameter in weighting.parameters():
            parameter.add_(torch.tensor([0.3, -0.6]))
    for epoch in STEPS[:2]:
        for step in epoch:
            weighting(losses(step))
        if isinstance(weighting, DynamicAverageWeighting):
            weighting.finish_epoch()
    weighting(losses(STEPS[2, 0]))
    return weighting


def test_an_impossible_temperature_is_refused():
    with pytest.raises(InputError, match="temperature must be positive"):
        build_weighting(Component("dynamic_average", {"temperature": 0}), tasks=TASKS)


def test_positive_uncertainty_follows_its_formula_and_gradient():
    weighting = build_weighting(Component("positive_uncertainty"), tasks=TASKS)
    (c,) = weighting.parameters()
    values = np.array([0.7, 2.5])
    assert weighting(losses(values)).item() == pytest.approx(values.sum() / 2 + 2 * np.log(2))  # c = 1
    at = np.array([0.8, 1.7])
    with torch.no_grad():
        c.copy_(torch.tensor(at))
    total = weighting(losses(values))
    total.backward()
    assert total.item() == pytest.approx(float((values / (2 * at**2) + np.log(1 + at**2)).sum()))
    np.testing.assert_allclose(c.grad.numpy(), -values / at**3 + 2 * at / (1 + at**2), rtol=1e-5)  # type: ignore[union-attr]
    assert weighting.eval()(losses(values)).item() == pytest.approx(values.sum())


def test_positive_uncertainty_learns_nothing_of_a_task_without_annotations():
    weighting = build_weighting(Component("positive_uncertainty"), tasks=TASKS)
    (c,) = weighting.parameters()
    weighting(losses(np.array([0.5, 0.0]))).backward()
    np.testing.assert_allclose(c.grad.numpy(), [-0.5 + 1, 0.0])  # type: ignore[union-attr]
