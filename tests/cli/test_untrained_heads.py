"""A head that no training case taught is told at the start, and its random answers appear nowhere."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bustle.cli.main import main
from bustle.core.recipe import load_recipe
from bustle.data.phantom.dataset import write_phantom_set
from bustle.inference.package import Package
from bustle.inference.predictor import Predictor
from bustle.losses.build import taught_heads
from bustle.models.separate_heads import separate_heads

pytestmark = pytest.mark.usefixtures("module_without_plots")

RECIPE = Path(__file__).parents[1] / "training" / "tiny.yaml"
FAST = ["--set", "training.epochs=1", "training.ema_decay=null", "training.monitor=loss", "--device", "cpu"]


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    write_phantom_set(folder, cases=12, seed=3, size=64)
    return folder


def images_of(phantoms: Path, folder: Path, *kept: str) -> Path:
    """The same images with `kept` of masks/ and labels.csv, and without the mark of a phantom set."""
    folder.mkdir()
    for name in ("images", *kept):
        copy = shutil.copytree if (phantoms / name).is_dir() else shutil.copyfile
        copy(phantoms / name, folder / name)
    return folder


def train(data: Path, out: Path, *more: str) -> None:
    words = ["train", str(RECIPE), "--data", f"folder:{data}", "--out", str(out), "--holdout", "0.3", *FAST, *more]
    assert main(words) == 0


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def without_classes(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untrained")
    train(images_of(phantoms, folder / "data", "masks"), folder / "run")
    return folder


def test_classes_that_nothing_trained_are_no_result(
    without_classes: Path, phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = without_classes / "run"
    records = [read(path) for path in (run / "fold-0" / "predictions").rglob("prediction.json")]
    assert records
    assert all(record["class_probabilities"] is None and record["decision"] is None for record in records)
    assert all(record["mask_area"] is not None for record in records)
    assert "the class head was never trained" in " ".join(read(run / "fold-0" / "metrics.json")["warnings"])

    out = tmp_path / "evaluation"  # on data whose classes are known
    assert main(["evaluate", "--model", str(run), "--data", f"folder:{phantoms}", "--out", str(out)]) == 0
    assert "warning: the class head was never trained" in capsys.readouterr().out
    assert read(out / "metrics.json")["classification"] is None
    with (out / "cases.csv").open(encoding="utf-8") as handle:
        assert all(not row["decision"] for row in csv.DictReader(handle))


def test_a_package_leaves_the_untrained_answer_out(without_classes: Path, phantoms: Path, tmp_path: Path):
    package = tmp_path / "package"
    assert main(["export", str(without_classes / "run"), "--out", str(package)]) == 0
    assert [output.name for output in Package(package).record.outputs] == ["mask_probs"]
    image = next((phantoms / "images").iterdir())
    assert main(["predict", str(image), "--model", str(package), "--out", str(tmp_path / "predicted")]) == 0
    (record,) = (tmp_path / "predicted").rglob("prediction.json")
    assert read(record)["class_probabilities"] is None


def test_outlines_that_nothing_trained_are_no_result(
    phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data = images_of(phantoms, tmp_path / "data", "labels.csv")
    table = data / "labels.csv"
    lines = [line for line in table.read_text().splitlines() if ",normal" not in line]  # which have an empty mask
    table.write_text("\n".join(lines) + "\n")
    train(data, tmp_path / "run")
    assert "no training case of fold 0 has a mask: the mask head learns nothing" in capsys.readouterr().err
    folder = tmp_path / "run" / "fold-0" / "predictions"
    records = [read(path) for path in folder.rglob("prediction.json")]
    assert all(record["mask_area"] is None and record["class_probabilities"] for record in records)
    assert not list(folder.rglob("mask.png"))
    assert not Predictor.open(tmp_path / "run").outlines


def test_weights_of_a_whole_model_bring_trained_heads(without_classes: Path, phantoms: Path, tmp_path: Path):
    begun = without_classes / "run" / "fold-0" / "best.safetensors"
    train(without_classes / "data", tmp_path / "run", "--init", str(begun))
    (record, *_) = (tmp_path / "run" / "fold-0" / "predictions").rglob("prediction.json")
    assert read(record)["class_probabilities"] is not None


def test_classes_that_no_loss_teaches_are_no_result(
    phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    train(phantoms, tmp_path / "run", "--set", *FAST[1:4], "losses.1.weight=0")
    assert (
        "no loss of the recipe teaches the class in fold 0: the class head learns nothing" in capsys.readouterr().err
    )
    records = [read(path) for path in (tmp_path / "run" / "fold-0" / "predictions").rglob("prediction.json")]
    assert records
    assert all(record["class_probabilities"] is None and record["mask_area"] is not None for record in records)


def test_an_answer_that_is_computed_from_the_other_needs_no_loss_of_its_own():
    assert separate_heads(load_recipe(str(RECIPE))) == {"class"}
    assert taught_heads(load_recipe(str(RECIPE))) == {"mask", "class"}
    assert taught_heads(load_recipe(str(RECIPE), overrides=["losses.1.weight=0"])) == {"mask"}
    assert separate_heads(load_recipe("qu_2019")) == frozenset()
