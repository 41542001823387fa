from __future__ import annotations

from typing import Any

import pytest
import torch

from bustle.core.config import Component
from bustle.core.errors import InputError
from bustle.losses.build import LossValues
from bustle.training.steps.build import build_step, step_names


class Picture:
    image = torch.ones(2)


def test_joint_makes_one_update_on_the_total() -> None:
    updates: list[torch.Tensor] = []

    def loss(output: torch.Tensor, batch: Any) -> LossValues:
        return LossValues(total=output.sum(), terms={})

    batch: Any = Picture()
    network: Any = lambda image: 3 * image  # noqa: E731
    any_loss: Any = loss
    values = build_step(Component("joint"))(batch, network=network, loss=any_loss, update=updates.append)
    assert [float(update) for update in updates] == [6.0]
    assert values.total is updates[0]


def test_unknown_steps_and_options_are_named() -> None:
    assert "joint" in step_names()
    with pytest.raises(InputError, match="did you mean joint"):
        build_step(Component("jiont"))
    with pytest.raises(InputError, match="unknown key 'passes'"):
        build_step(Component("joint", {"passes": 2}))
