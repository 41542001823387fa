from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from bustle.core.config import Component
from bustle.core.errors import InputError
from bustle.training.optimisation import Moment, build_optimizer, build_schedule, load_optimizer_state


def rates(name: str, *, epochs: int, steps: int, base: float, **options: float) -> list[float]:
    schedule = build_schedule(Component(name, options))
    total = epochs * steps
    moments = (Moment(step=s, epoch=s // steps, total_steps=total, epochs=epochs) for s in range(total))
    return [schedule.lr(base, moment) for moment in moments]


def test_step_falls_to_a_tenth_every_20_epochs() -> None:
    found = rates("step", epochs=45, steps=2, base=1e-4, every=20, factor=0.1)
    assert found[0] == found[39] == 1e-4
    assert found[40] == found[79] == pytest.approx(1e-5)
    assert found[80] == found[89] == pytest.approx(1e-6)


@pytest.mark.parametrize("power", [0.9, 2.0])
def test_poly_equals_torch_and_stays_within_an_epoch(power: float) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1e-2)
    reference = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=7, power=power)
    expected = []
    for _ in range(7):
        expected += 3 * [optimizer.param_groups[0]["lr"]]
        optimizer.step()
        reference.step()
    found = rates("poly", epochs=7, steps=3, base=1e-2, power=power)
    assert found == pytest.approx(expected)
    assert found[-1] > 0
    assert found[3] == pytest.approx(1e-2 * (6 / 7) ** power)


def test_constant_and_cosine() -> None:
    assert set(rates("constant", epochs=2, steps=3, base=0.5)) == {0.5}
    found = rates("cosine", epochs=2, steps=4, base=1.0, floor=0.2)
    assert found[0] == 1.0
    assert found[4] == pytest.approx(0.6)  # half way
    assert found[2] == pytest.approx(0.2 + 0.8 * (1 + math.cos(math.pi / 4)) / 2)


@pytest.mark.parametrize(("epochs", "steps"), [(3, 7), (30, 28), (1, 5)])
def test_one_cycle_equals_torch(epochs: int, steps: int) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-3, total_steps=epochs * steps)
    expected = []
    for _ in range(epochs * steps):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(expected) < epochs * steps:
            reference.step()
    assert rates("one_cycle", epochs=epochs, steps=steps, base=1e-3) == pytest.approx(expected)
    assert rates("one_cycle", epochs=epochs, steps=steps, base=9.0, max_lr=1e-3) == pytest.approx(expected)


def test_one_cycle_without_a_rise() -> None:
    found = rates("one_cycle", epochs=1, steps=4, base=1.0, pct_start=0.25)  # its first step is the top
    assert found == pytest.approx([1.0, 0.75, 0.25, 0.0], abs=1e-5)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(2, 3)
        self.norm = nn.BatchNorm1d(3)
        self.unused_fc = nn.Linear(3, 4)


def test_parameters_without_gradient_are_left_out_and_frozen() -> None:
    net = Net()
    component = Component("adam", {"lr": 1e-4, "betas": [0.9, 0.99], "weight_decay": 1e-4})
    optimizer = build_optimizer(component, net, without_gradient=["unused_fc."])
    (group,) = optimizer.param_groups
    assert [id(p) for p in group["params"]] == [id(p) for p in [*net.body.parameters(), *net.norm.parameters()]]
    assert group["betas"] == (0.9, 0.99)
    assert group["weight_decay"] == 1e-4
    assert not net.unused_fc.weight.requires_grad


def test_norms_and_biases_may_be_spared_the_weight_decay() -> None:
    net = Net()
    options = {"lr": 1e-3, "weight_decay": 0.1, "decay_norms": False}
    optimizer = build_optimizer(Component("adamw", options), net)
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert decays[id(net.body.weight)] == 0.1
    assert decays[id(net.body.bias)] == decays[id(net.norm.weight)] == 0.0


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("on_gpu", [False, True], ids=["begun on a processor", "begun on a GPU"])
@pytest.mark.parametrize(("name", "options"), [("adam", {}), ("adamw", {}), ("sgd", {"momentum": 0.9})])
def test_a_training_goes_on_where_updates_are_fused_and_where_they_are_not(
    name: str, options: dict[str, float], on_gpu: bool
) -> None:
    """A GPU's fused update is to be had on the processor, too."""

    def learned(*forms: bool | None) -> Tensor:
        network, state = Net(), None
        for parameter in network.parameters():
            nn.init.constant_(parameter, 0.5)
        for fused in forms:
            optimizer = build_optimizer(Component(name, {"lr": 0.1, **options}), network)
            for group in optimizer.param_groups:
                group["fused"] = fused
            if state is not None:
                load_optimizer_state(optimizer, state)
                assert {group["fused"] for group in optimizer.param_groups} == {fused}
            for _ in range(2):
                optimizer.zero_grad()
                network.unused_fc(network.body(torch.ones(1, 2))).square().sum().backward()
                optimizer.step()
            state = optimizer.state_dict()
        return network.body.weight.detach()

    torch.testing.assert_close(learned(True if on_gpu else None, None if on_gpu else True), learned(None, None))


@pytest.mark.parametrize(
    ("component", "words"),
    [
        (Component("adan", {"lr": 1}), "did you mean adam"),
        (Component("adam", {"lr": 1e-3, "beta": 1}), "did you mean betas"),
        (Component("adam", {"lr": -1.0}), "must be positive"),
        (Component("sgd", {"lr": 0.1, "nesterov": True}), "momentum"),
        (Component("adam"), "lacks lr"),
    ],
)
def test_wrong_optimizers_say_so(component: Component, words: str) -> None:
    with pytest.raises(InputError, match=words):
        build_optimizer(component, Net())


@pytest.mark.parametrize(
    ("component", "words"),
    [
        (Component("one_cycel"), "did you mean one_cycle"),
        (Component("step", {"evry": 3}), "did you mean every"),
        (Component("step", {"every": 0}), "at least 1"),
        (Component("poly", {"power": 0}), "power must be positive"),
    ],
)
def test_wrong_schedules_say_so(component: Component, words: str) -> None:
    with pytest.raises(InputError, match=words):
        build_schedule(component)
