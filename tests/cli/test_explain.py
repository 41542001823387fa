"""`bustle predict --explain` on a package that offers class activation maps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.inference.hand_made_package import write_package

from bustle.cli.main import main
from bustle.io.raster import write_png


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("package") / "hand.bustle", with_class_maps=True)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    image = np.full((80, 90), 20, np.uint8)
    image[20:60, 20:60] = 235
    write_png(tmp_path / "scan.png", image)
    return tmp_path / "scan.png"


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith("explanation")}


def test_the_best_method_is_the_default_and_others_are_named(scan: Path, package: Path, tmp_path: Path):
    out = tmp_path / "out"
    command = ["predict", str(scan), "--model", str(package), "--out", str(out)]
    assert main([*command, "--explain"]) == 0
    assert written(out / "scan") == {"explanation_cam.png", "explanation_cam_map.png"}
    assert main([*command, "--explain", "uncertainty"]) == 0
    assert written(out / "scan") == {"explanation_uncertainty.png", "explanation_uncertainty_map.png"}
    record = json.loads((out / "scan" / "prediction.json").read_text())
    assert [found["method"] for found in record["explanations"]] == ["uncertainty"]


def test_resume_makes_an_explanation_that_is_missing_and_keeps_one_that_is_there(
    scan: Path, package: Path, tmp_path: Path
):
    out = tmp_path / "out"
    command = ["predict", str(scan), "--model", str(package), "--out", str(out)]
    assert main(command) == 0
    record = out / "scan" / "prediction.json"
    resumed = [*command, "--resume", "--explain", "cam"]

    def is_made_again() -> bool:
        before = record.stat().st_mtime_ns
        assert main(resumed) == 0
        return record.stat().st_mtime_ns > before

    assert is_made_again()
    assert not is_made_again()
    (out / "scan" / "explanation_cam.png").unlink()
    assert is_made_again()
    (out / "scan" / "explanation_cam_map.png").write_bytes(b"half of it")
    assert is_made_again()
    resumed.remove("--explain")
    resumed.remove("cam")
    assert not is_made_again(), "more than what is asked for is kept"
    assert "explanation_cam.png" in written(out / "scan")


def test_a_method_that_the_model_does_not_offer_ends_before_any_work(scan: Path, tmp_path: Path, capsys):
    without = write_package(tmp_path / "hand.bustle")
    out = tmp_path / "out"
    command = ["predict", str(scan), "--model", str(without), "--out", str(out), "--explain", "cam"]
    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "bustle: error: this model offers no cam; it offers uncertainty"
    assert not out.exists()


def test_an_unknown_method_names_the_known_ones(scan: Path, package: Path, tmp_path: Path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["predict", str(scan), "--model", str(package), "--out", str(tmp_path / "o"), "--explain", "magic"])
    assert caught.value.code == 2
    assert "cam" in capsys.readouterr().err
