"""Training steps by name. The folder is the registry: a file here that defines `STEP` is a step.

`STEP` is a frozen dataclass of the step's options; it is called with a batch and the network as the recipe refines
it, and calls `update(loss)` for every optimiser update that it makes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from torch import Tensor

from bustle.core.config import Component, from_component
from bustle.core.types import Batch

if TYPE_CHECKING:
    from bustle.losses.build import CombinedLoss, LossValues
    from bustle.models.refinement import Refined


class TrainStep(Protocol):
    """`learns_unlocated`: whether it draws on cases without a mask for more than their class."""

    learns_unlocated: ClassVar[bool]

    def __call__(
        self, batch: Batch, *, network: Refined, loss: CombinedLoss, update: Callable[[Tensor], None]
    ) -> LossValues: ...


def step_names() -> list[str]:
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("__init__", "build"))


def build_step(component: Component) -> TrainStep:
    """The recipe's `training.step`; raises `InputError` for an unknown name or option."""
    known = {name: importlib.import_module(f"bustle.training.steps.{name}").STEP for name in step_names()}
    return from_component(component, known, kind="training step", where="training.step")
