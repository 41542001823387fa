"""`training.precision: auto` takes what is faster on the machine, times it once, and keeps to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bustle.core.recipe import Recipe
from bustle.training import fastest_precision as module
from bustle.training.fastest_precision import fastest_precision
from bustle.training.precision import MixedPrecision


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """What was timed, with made-up times: bf16 takes `GAINS` of fp32's by the kind of network."""
    monkeypatch.setenv("BUSTLE_CACHE", str(tmp_path / "cache"))
    done: list[tuple[str, str]] = []

    def seconds(precision: MixedPrecision, network: torch.nn.Module, images: torch.Tensor) -> float:
        kind = "convolution" if isinstance(network, torch.nn.Conv2d) else "network"
        done.append((kind, precision.precision))
        return 1.0 if precision.precision == "fp32" else GAINS[kind]

    monkeypatch.setattr(module, "_seconds_in", seconds)
    return done


GAINS = {"convolution": 0.5, "network": 0.5}


@pytest.mark.parametrize(
    ("convolution", "network", "chosen", "by"),
    [(0.5, 0.5, "bf16", "network"), (0.5, 0.95, "fp32", "network"), (20, 0.5, "fp32", "convolution")],
)
def test_the_faster_one_is_chosen(
    timed: list, tiny_recipe: Callable[..., Recipe], monkeypatch, convolution, network, chosen, by
) -> None:
    monkeypatch.setitem(GAINS, "convolution", convolution)
    monkeypatch.setitem(GAINS, "network", network)
    measured = fastest_precision(tiny_recipe(), device="cpu")
    assert (measured.chosen, measured.timed) == (chosen, by)
    assert (by, "bf16") in timed


def test_a_machine_times_a_network_once(timed: list, tiny_recipe: Callable[..., Recipe]) -> None:
    first = fastest_precision(tiny_recipe(), device="cpu")
    count = len(timed)
    assert fastest_precision(tiny_recipe("training.epochs=7"), device="cpu") == first
    assert len(timed) == count
    fastest_precision(tiny_recipe("data.size=[64, 96]"), device="cpu")
    assert len(timed) > count


def test_the_times_are_of_real_steps(tiny_recipe: Callable[..., Recipe], monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BUSTLE_CACHE", str(tmp_path / "cache"))
    measured = fastest_precision(tiny_recipe(), device="cpu")
    assert 0 < measured.seconds["fp32"] < 60
    assert (measured.chosen == "bf16") == (
        measured.timed == "network" and measured.seconds["bf16"] < 0.9 * measured.seconds["fp32"]
    )


def test_nothing_computes_in_auto() -> None:
    with pytest.raises(ValueError, match="auto"):
        MixedPrecision("auto", device=torch.device("cpu"))
