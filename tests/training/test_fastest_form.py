"""`auto` takes what is faster on the machine, times it once, and keeps to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bustle.core.recipe import Precision, Recipe, TrainingSection
from bustle.core.run_provenance import MeasuredForm, MeasuredMemoryFormat, MeasuredPrecision
from bustle.training import fastest_form as module
from bustle.training.fastest_form import fastest_form
from bustle.training.memory_format import memory_format
from bustle.training.precision import MixedPrecision

TinyRecipe = Callable[..., Recipe]
PRECISION, FORMAT = "training.precision=auto", "training.channels_last=auto"


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str, bool]]:
    """What was timed, with the made-up `SECONDS`."""
    monkeypatch.setenv("BUSTLE_CACHE", str(tmp_path / "cache"))
    done: list[tuple[str, str, bool]] = []

    def seconds(network: torch.nn.Module, images: torch.Tensor, *, precision: Precision) -> float:
        kind = "convolution" if isinstance(network, torch.nn.Conv2d) else "network"
        last = not all(weight.is_contiguous() for weight in network.parameters())
        done.append((kind, precision, last))
        return SECONDS[kind, precision] * (1 if last or kind == "convolution" else SECONDS["contiguous", precision])

    monkeypatch.setattr(module, "fastest_step", seconds)
    return done


SECONDS = {
    ("convolution", "fp32"): 1.0,
    ("convolution", "bf16"): 0.5,
    ("network", "fp32"): 1.0,
    ("network", "bf16"): 0.5,
    ("contiguous", "fp32"): 1.0,
    ("contiguous", "bf16"): 1.0,
}


@pytest.mark.parametrize(
    ("convolution", "network", "chosen", "by"),
    [(0.5, 0.5, "bf16", "network"), (0.5, 0.95, "fp32", "network"), (20, 0.5, "fp32", "convolution")],
)
def test_the_faster_precision_is_chosen(
    timed: list[Any],
    tiny_recipe: TinyRecipe,
    monkeypatch: pytest.MonkeyPatch,
    convolution: float,
    network: float,
    chosen: str,
    by: str,
) -> None:
    monkeypatch.setitem(SECONDS, ("convolution", "bf16"), convolution)
    monkeypatch.setitem(SECONDS, ("network", "bf16"), network)
    form = fastest_form(tiny_recipe(PRECISION), device="cpu")
    assert form.precision is not None
    assert (form.precision.chosen, form.precision.timed, form.memory_format) == (chosen, by, None)
    assert by in [kind for kind, precision, _ in timed if precision == "bf16"]


@pytest.mark.parametrize(
    ("settings", "fp32", "bf16", "chosen"),
    [
        ((FORMAT,), 0.8, 1.0, "contiguous"),
        ((FORMAT,), 0.95, 1.0, "channels_last"),
        ((FORMAT, PRECISION), 0.8, 1.2, "channels_last"),
        ((FORMAT, PRECISION), 1.2, 0.8, "contiguous"),
    ],
)
def test_the_faster_memory_format_of_the_chosen_precision_is_chosen(
    timed: list[Any],
    tiny_recipe: TinyRecipe,
    monkeypatch: pytest.MonkeyPatch,
    settings: tuple[str, ...],
    fp32: float,
    bf16: float,
    chosen: str,
) -> None:
    monkeypatch.setitem(SECONDS, ("contiguous", "fp32"), fp32)
    monkeypatch.setitem(SECONDS, ("contiguous", "bf16"), bf16)
    form = fastest_form(tiny_recipe(*settings), device="cpu")
    assert form.memory_format is not None
    assert form.memory_format.chosen == chosen
    assert (form.precision is None) == (PRECISION not in settings)


def test_a_machine_times_a_network_once(timed: list[Any], tiny_recipe: TinyRecipe) -> None:
    first = fastest_form(tiny_recipe(PRECISION), device="cpu")
    count = len(timed)
    assert fastest_form(tiny_recipe(PRECISION, "training.epochs=7"), device="cpu") == first
    assert fastest_form(tiny_recipe(), device="cpu") == MeasuredForm()
    assert len(timed) == count
    fastest_form(tiny_recipe(PRECISION, "data.size=[64, 96]"), device="cpu")
    assert len(timed) > count


def test_the_times_are_of_real_steps(
    tiny_recipe: TinyRecipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BUSTLE_CACHE", str(tmp_path / "cache"))
    form = fastest_form(tiny_recipe(PRECISION, FORMAT), device="cpu")
    assert form.precision is not None
    assert form.memory_format is not None
    precision, in_memory = form.precision, form.memory_format
    assert 0 < precision.seconds["fp32"] < 60
    assert 0 < min(in_memory.seconds.values()) < 60
    assert (precision.chosen == "bf16") == (
        precision.timed == "network" and precision.seconds["bf16"] < 0.9 * precision.seconds["fp32"]
    )
    assert (in_memory.chosen == "contiguous") == (
        in_memory.seconds["contiguous"] < 0.9 * in_memory.seconds["channels_last"]
    )


def test_only_what_a_recipe_leaves_open_is_decided() -> None:
    form = MeasuredForm(
        precision=MeasuredPrecision(chosen="bf16", timed="network", seconds={}),
        memory_format=MeasuredMemoryFormat(chosen="contiguous", seconds={}),
    )
    fixed = TrainingSection(precision="fp32", channels_last=True)
    assert form.decide(fixed) == fixed
    left_open = replace(fixed, precision="auto", channels_last="auto")
    assert form.decide(left_open) == replace(fixed, precision="bf16", channels_last=False)


def test_nothing_computes_in_auto() -> None:
    with pytest.raises(ValueError, match="auto"):
        MixedPrecision("auto", device=torch.device("cpu"))
    with pytest.raises(ValueError, match="auto"):
        memory_format(TrainingSection(channels_last="auto"), ndim=4)


def test_the_memory_format_is_that_of_the_recipe() -> None:
    assert memory_format(TrainingSection(), ndim=4) is torch.channels_last
    assert memory_format(TrainingSection(), ndim=5) is torch.channels_last_3d
    assert memory_format(TrainingSection(channels_last=False), ndim=4) is torch.contiguous_format
