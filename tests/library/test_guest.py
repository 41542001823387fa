"""Calls of the library leave the program as it was: random numbers, warnings, environment, logging, threads."""

from __future__ import annotations

import logging
import os
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import bustle
from bustle.core.recipe import load_recipe
from bustle.inference.torch_backend import load_network
from bustle.library.guest import as_a_guest
from bustle.models import zoo
from bustle.models.weight_file import write_weights

pytestmark = pytest.mark.usefixtures("module_without_plots")

IMAGE = np.pad(np.full((40, 40), 235, np.uint8), 20, constant_values=20)
RECIPE = Path(__file__).parents[1] / "training" / "tiny.yaml"


def state() -> dict[str, Any]:
    root = logging.getLogger()
    return {
        "random": random.getstate(),
        "NumPy": (np.random.get_state()[1].tolist(), np.random.get_state()[2]),  # noqa: NPY002
        "torch": torch.get_rng_state().tolist(),
        "warnings": list(warnings.filters),
        "environment": dict(os.environ),
        "logging": (root.level, list(root.handlers), logging.root.manager.disable),
        "threads": (torch.get_num_threads(), cv2.getNumThreads()),
        "torch's modes": (torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled()),
        "NumPy's errors": np.geterr(),
        "folder": Path.cwd(),
    }


@pytest.mark.parametrize(
    "call",
    [
        lambda folder, package: bustle.train(
            RECIPE,
            data="phantom:?cases=8&seed=5&size=64",
            out=folder / "run",
            holdout=0.3,
            changes={"training.epochs": 1},
            device="cpu",
        ),
        lambda folder, package: bustle.evaluate(
            package, data="phantom:?cases=3&seed=0&size=64", out=folder / "scored"
        ),
        lambda folder, package: bustle.predict(IMAGE, model=package),
    ],
    ids=["train", "evaluate", "predict"],
)
def test_the_program_is_as_it_was(call: Callable[[Path, Path], object], package: Path, tmp_path: Path):
    before = state()
    call(tmp_path, package)
    after = state()
    assert [name for name in before if before[name] != after[name]] == []


def test_what_an_import_adds_is_taken_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCH_HOME", "mine")
    before = state()
    with as_a_guest():
        warnings.simplefilter("ignore")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = "somewhere"
        os.environ["TORCH_HOME"] = "theirs"
    assert state() == before


def test_opening_a_network_draws_no_number_of_the_program(tmp_path: Path):
    resolved = zoo.resolve(load_recipe(str(RECIPE)))
    write_weights(tmp_path / "w.safetensors", resolved.build().state_dict())
    before = torch.get_rng_state()
    load_network(resolved, tmp_path / "w.safetensors")
    assert torch.equal(torch.get_rng_state(), before)
