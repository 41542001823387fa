"""The model on descriptors, from a small data set whose classes differ in the outline."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from bustle.cli.main import main
from bustle.core.config import from_mapping
from bustle.inference.descriptor_model import DescriptorModel
from bustle.io.raster import write_png

CASES = 48


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth benign and rough, tall malignant lesions in noise; two images of every patient."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    rows = ["case_id,label,patient_id"]
    y, x = np.indices((96, 96)) - 48.0
    for number in range(CASES):
        malignant = number // 2 % 2 == 1
        wave = (0.15 if malignant else 0.03) * np.cos(11 * np.arctan2(y, x) + rng.uniform(0, 6))
        tall = rng.uniform(0.9, 1.2) if malignant else rng.uniform(0.6, 1.0)
        mask = np.hypot(y / tall, x) <= 22 * (1 + wave)
        tissue = cv2.GaussianBlur(rng.normal(size=(96, 96)), (0, 0), 1.5) * 60 + 110
        grey = np.clip(np.where(mask, tissue - 50, tissue), 0, 255).astype(np.uint8)
        write_png(folder / "images" / f"c{number:02d}.png", grey)
        write_png(folder / "masks" / f"c{number:02d}.png", mask.astype(np.uint8) * 255)
        rows.append(f"c{number:02d},{'malignant' if malignant else 'benign'},p{number // 2}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def train(data: Path, out: Path, *more: str) -> int:
    return main(["train", "descriptors", "--data", f"folder:{data}", "--out", str(out), "--folds", "3", *more])


def test_it_is_tested_out_of_fold_and_leaves_coefficients_as_data(data, tmp_path, capsys):
    assert train(data, tmp_path / "run") == 0
    assert "expert outlines" in capsys.readouterr().out
    result = json.loads((tmp_path / "run" / "descriptor_result.json").read_text())
    expert = result["scores"]["expert"]
    assert expert["auc"] > 0.95
    assert expert["ci95"] is None or expert["ci95"][0] <= expert["auc"] <= expert["ci95"][1]
    assert (result["n_cases"], result["n_malignant"], len(expert["folds"])) == (CASES, CASES // 2, 3)
    model = from_mapping(
        DescriptorModel, json.loads((tmp_path / "run" / "descriptor_model.json").read_text()), where="model"
    )
    with (tmp_path / "run" / "descriptor_cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == CASES
    values = {name: float(rows[0][name]) if rows[0][name] else None for name in model.terms}
    assert model.probability(values) < 0.5  # a benign one
    splits = json.loads((tmp_path / "run" / "splits.json").read_text())
    for fold in splits["folds"]:
        patients = [{int(name[-2:]) // 2 for name in part} for part in (fold["train"] + fold["val"], fold["test"])]
        assert not patients[0] & patients[1]


def test_predicted_outlines_are_measured_too_and_a_missed_lesion_gets_the_prevalence(data, tmp_path):
    predictions = tmp_path / "predictions"
    for number in range(CASES):
        mask = cv2.imread(str(data / "masks" / f"c{number:02d}.png"), cv2.IMREAD_GRAYSCALE)
        smooth = cv2.medianBlur(mask, 9) if number else np.zeros_like(mask)
        write_png(predictions / f"c{number:02d}.png", smooth)
    assert train(data, tmp_path / "run", "--predictions", str(predictions)) == 0
    scores = json.loads((tmp_path / "run" / "descriptor_result.json").read_text())["scores"]
    assert set(scores) == {"expert", "predicted", "expert_to_predicted"}
    assert scores["predicted"]["n_without_outline"] == 1
    assert scores["predicted"]["auc"] > 0.6


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--resume",), "--resume is for networks"),
        (("--set", "training.epochs=2"), "--set is for networks"),
        (("--predictions", "nowhere"), "is not a folder"),
    ],
)
def test_what_is_not_for_it_is_one_line(data, tmp_path, capsys, more, said):
    assert train(data, tmp_path / "run", *more) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_too_few_patients_to_learn_from_is_one_line(data, tmp_path, capsys):
    few = tmp_path / "few"
    for name in ("images", "masks"):
        for number in range(8):
            picture = cv2.imread(str(data / name / f"c{number:02d}.png"), cv2.IMREAD_GRAYSCALE)
            write_png(few / name / f"c{number:02d}.png", picture)
    (few / "labels.csv").write_text("".join((data / "labels.csv").read_text().splitlines(keepends=True)[:9]))
    assert (
        main(["train", "descriptors", "--data", f"folder:{few}", "--out", str(tmp_path / "run"), "--folds", "2"]) == 2
    )
    assert "fewer than 5 groups" in capsys.readouterr().err


def test_another_commands_folder_is_refused(data, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    assert train(data, tmp_path / "run") == 2
    assert "thesis.txt" in capsys.readouterr().err
