"""`bustle.train`, `evaluate` and `compare` against the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bustle
from bustle.cli.main import main
from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe

pytestmark = pytest.mark.usefixtures("module_without_plots")

SPEC = "phantom:?cases=8&seed=0&size=64"


def content(path: Path) -> dict:
    """A result without what differs between any two commands."""
    return {key: value for key, value in json.loads(path.read_text()).items() if key != "provenance"}


def test_a_model_is_evaluated_as_the_command_does(package: Path, tmp_path: Path):
    words = ["evaluate", "--model", str(package), "--data", SPEC, "--groups", "file", "--out", str(tmp_path / "a")]
    assert main(words) == 0
    for number, method in enumerate((package, bustle.load_model(package))):
        out = tmp_path / f"b{number}"
        bustle.evaluate(method, data=bustle.open_data(SPEC), groups="file", out=out)
        assert content(out / "metrics.json") == content(tmp_path / "a" / "metrics.json")
        assert (out / "cases.csv").read_bytes() == (tmp_path / "a" / "cases.csv").read_bytes()


def test_predictions_are_evaluated_and_compared(package: Path, tmp_path: Path):
    bustle.evaluate(package, data=SPEC, out=tmp_path / "model")
    predictions = tmp_path / "model" / "predictions"
    bustle.evaluate(predictions, data=SPEC, out=tmp_path / "files", missing="as-empty")
    scores = [content(tmp_path / name / "metrics.json")["segmentation"] for name in ("model", "files")]
    assert scores[0] == scores[1]
    runs = [tmp_path / "model", tmp_path / "files"]
    assert main(["compare", *map(str, runs), "--out", str(tmp_path / "a")]) == 0
    bustle.compare(runs, out=tmp_path / "b")
    assert content(tmp_path / "a" / "comparison.json") == content(tmp_path / "b" / "comparison.json")


def test_a_training_run_is_not_written_over(package: Path, tmp_path: Path):
    (tmp_path / "recipe.yaml").touch()
    with pytest.raises(InputError, match="holds a training run"):
        bustle.evaluate(package, data=SPEC, out=tmp_path)
    with pytest.raises(InputError, match=r"holds recipe\.yaml, which is not of a comparison"):
        bustle.compare([package, package], out=tmp_path)


def test_training_is_that_of_the_command(tmp_path: Path):
    spec = "phantom:?cases=12&seed=0&size=64"
    sizes = {"training.epochs": 1, "data.size": (64, 64), "training.batch_size": 4}
    words = [f"{key}={list(value) if isinstance(value, tuple) else value}" for key, value in sizes.items()]
    command = ["train", "demo", "--data", spec, "--holdout", "0.25", "--device", "cpu", "--set", *words]
    assert main([*command, "--out", str(tmp_path / "a")]) == 0
    splits = bustle.split(spec, holdout=0.25, classes=load_recipe("demo").data.classes)
    bustle.train("demo", data=spec, out=tmp_path / "b", splits=splits, device="cpu", changes=sizes)
    for name in ("recipe.yaml", "splits.json", "fold-0/best.safetensors", "fold-0/cases.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    assert bustle.load_model(tmp_path / "b", fold=0).path == tmp_path / "b" / "fold-0"


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def without_torch(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("bustle.experiments.train.run_training", without_torch)
    with pytest.raises(InputError, match=r"PyTorch, which is not installed; pip install 'bustle\[train\]'"):
        bustle.train("demo", data=SPEC, out=tmp_path / "run")
