"""`bustle accept` with a package by hand: limits, the page, and what changes with another package."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.inference.hand_made_package import write_package

from bustle.cli.main import main
from bustle.core.errors import InputError
from bustle.evaluation.result_files import read_track
from bustle.io.raster import write_png

LIMITS = """
segmentation:
  dice: {at_least: 0.9}
  missed_lesions: {at_most: 0.5}
classification:
  accuracy: {at_least: 0.9}
  sensitivity: {at_least: 0.95}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bright square in each of twelve images; the package calls bright images malignant."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("images", "masks"):
        (folder / "data" / name).mkdir(parents=True)
    lines = ["case_id,label"]
    for number in range(12):
        malignant = number % 2 == 1
        image = np.full((64, 64), 200 if malignant else 5, np.uint8)
        image[20:44, 20:44] = 250
        write_png(folder / "data/images" / f"c{number}.png", image)
        write_png(folder / "data/masks" / f"c{number}.png", np.uint8(255) * (image == 250))
        lines.append(f"c{number},{'malignant' if malignant else 'benign'}")
    (folder / "data/labels.csv").write_text("\n".join(lines) + "\n")
    (folder / "limits.yaml").write_text(LIMITS)
    write_package(folder / "model.bustle")
    return folder


def accept(site: Path, package: str, *, limits: str = "limits.yaml", out: str = "accepted") -> int:
    words = ["accept", str(site / package), "--data", f"folder:{site / 'data'}"]
    return main([*words, "--limits", str(site / limits), "--out", str(site / out)])


@pytest.mark.usefixtures("without_plots")
def test_limits_are_judged_and_an_upgrade_lists_what_changed(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    assert accept(site, "model.bustle") == 3
    told = capsys.readouterr().out
    record = json.loads((site / "accepted/acceptance.json").read_text())
    verdicts = {each["metric"]: each["verdict"] for each in record["limits"]}
    assert verdicts["accuracy"] == "not enough cases"
    assert "about 36 cases would tell" in told  # .025^(1/36) = .9026
    assert verdicts["dice"] == "fail"  # the bright images are drawn all over
    assert record["verdict"] == "fail"
    page = (site / "accepted/acceptance.html").read_text(encoding="utf-8")
    assert "Acceptance test: fail" in page
    assert "No other model was tested here before." in page
    assert "Date and signature" in page
    assert "http" not in page.split("</style>")[1]

    answers = record["answers"]
    answers["folder/c1"] = {"decision": "benign", "malignant": 0.25}
    record["model"]["package"] = "0" * 64
    (site / "accepted/acceptance.json").write_text(json.dumps(record))
    for _ in range(2):  # the second time it is still told against the model before
        assert accept(site, "model.bustle") == 3
        assert "folder/c1: benign -> malignant" in capsys.readouterr().out
    page = (site / "accepted/acceptance.html").read_text(encoding="utf-8")
    assert "1 answer changed" in page

    def full_disk(*_: object, **__: object) -> None:
        raise InputError("is full", remedy="make room")

    monkeypatch.setattr("bustle.experiments.accept.evaluate_model", full_disk)
    assert accept(site, "model.bustle") == 2
    assert not (site / "accepted/acceptance.html").exists()
    assert (site / "accepted/acceptance.json").exists()  # what a later model is told against

    scored = replace(read_track(site / "accepted/evaluation/metrics.json"), warnings=("a case was trained on",))
    monkeypatch.setattr("bustle.experiments.accept.evaluate_model", lambda *_, **__: scored)
    kept, open_limit = "segmentation: {dice: {at_least: 0.1}}", "classification: {sensitivity: {at_least: 0.99}}"
    for text, code, verdict in ((kept, 0, "pass"), (f"{kept}\n{open_limit}", 4, "not enough cases")):
        (site / "few.yaml").write_text(text)
        assert accept(site, "model.bustle", limits="few.yaml") == code
        told = capsys.readouterr().out
        assert told.startswith("warning: a case was trained on\n")
        assert f"\n{verdict}; written to" in told


def test_limits_that_cannot_be_used_are_refused_before_anything_is_predicted(
    site: Path, capsys: pytest.CaptureFixture[str]
):
    for text, problem in (
        ("classification: {sensitivity: {at_least: 1}}", "no number of cases proves at least 1"),
        ("classification: {sensitivity: {at_most: 0.9}}", "a high figure is better; write {at_least: 0.9}"),
        ("segmentation: {missed_lesions: {at_least: 0.1}}", "a low figure is better; write {at_most: 0.1}"),
        ("segmentation: {hd95_mm: {at_least: 5}}", "at least 5 is the wrong way round"),
        ("classification: {sensitivty: {at_least: 0.9}}", "sensitivity"),
        ("classes: {auc: {at_least: 0.9}}", "classification"),
        ("classification: {auc: 0.9}", "is no limit"),
        ("classification: {auc: {at_least: 0.9, at_most: 0.95}}", "one of the two"),
        ("classification: [auc", "is not YAML"),
        ("", "holds no limits"),
    ):
        (site / "wrong.yaml").write_text(text)
        assert accept(site, "model.bustle", limits="wrong.yaml", out="refused") == 2
        assert problem in capsys.readouterr().err
    assert accept(site, "model.bustle", limits="absent.yaml", out="refused") == 2
    assert "absent.yaml: no such file; check the path" in capsys.readouterr().err
    assert not (site / "refused").exists()


def test_a_damaged_file_is_named_without_an_option_that_the_command_lacks(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(site, tmp_path / "site")
    damaged = tmp_path / "site/data/images/c3.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    assert accept(tmp_path / "site", "model.bustle", out="damaged") == 2
    told = capsys.readouterr().err
    assert str(damaged) in told
    assert "--skip-damaged" not in told
