"""Two processes that share every batch of a training learn what one process learns from the whole batches."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from bustle.cli.main import main

RECIPE = {
    "id": "shared",
    "title": "Without batch normalisation, which sees one process's cases alone",
    "citation": "none",
    "model": {"id": "unet", "config": {"widths": [8, 16], "style": {"norm": "group"}}},
    "data": {
        "size": [64, 64],
        "channels": 1,
        "mean": [0.3],
        "std": [0.25],
        "classes": ["benign", "malignant", "normal"],
    },
    "augmentation": [{"name": "flip", "horizontal": 0.5, "vertical": 0.0}],
    "losses": [{"name": "mask_cross_entropy"}],
    "optimizer": {"name": "sgd", "lr": 0.1},
    "training": {"epochs": 3, "batch_size": 4, "ema_decay": 0.9, "clip_gradient_norm": 1.0, "monitor": "loss"},
    "protocol": "lanet",
}
ROUNDING = 1e-4
"""Of the loss: float32 sums in another order, through three epochs of steps."""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "shared.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path


def words(recipe: Path, out: Path, *more: str) -> list[str]:
    data = ["--data", "phantom:?cases=22&seed=0&size=64", "--holdout", "0.2"]
    return ["train", str(recipe), *data, "--device", "cpu", "--out", str(out), *more]


def curve(out: Path) -> list[tuple[float, float]]:
    with (out / "fold-0" / "metrics.csv").open(newline="") as file:
        return [(float(row["train_loss"]), float(row["val_loss"])) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def alone(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[float, float]]:
    out = tmp_path_factory.mktemp("alone") / "run"
    assert main(words(recipe, out)) == 0
    return curve(out)


def test_two_processes_learn_what_one_does(recipe: Path, alone: list[tuple[float, float]], tmp_path: Path):
    assert main(words(recipe, tmp_path / "run", "--devices", "2")) == 0
    found = curve(tmp_path / "run")
    assert len(found) == 3
    assert found == [pytest.approx(row, rel=ROUNDING) for row in alone]
    assert alone[0][0] > (1 + 10 * ROUNDING) * alone[2][0], "it has learned more than rounding"


def test_a_training_that_is_killed_goes_on_with_another_number_of_them(
    recipe: Path, alone: list[tuple[float, float]], tmp_path: Path
):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "bustle", *words(recipe, out, "--devices", "2")]
    begun = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while not (out / "fold-0" / "checkpoints" / "last.ckpt").exists():
        assert begun.poll() is None, "it ended too early"
        time.sleep(0.01)
    os.killpg(begun.pid, signal.SIGKILL)
    begun.wait()
    assert main(words(recipe, out, "--resume")) == 0
    assert curve(out) == [pytest.approx(row, rel=ROUNDING) for row in alone]


def test_one_that_fails_ends_all_in_one_line(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(words(recipe, tmp_path / "run", "--devices", "2", "--set", "optimizer.lr=1e30")) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bustle: error")]
    assert len(told) == 1
    assert "the loss is" in told[0]
