"""What `pip install bustle` alone can do, and what it says of the rest; `core_only` hides all other packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests import core_only
from tests.inference.hand_made_package import write_package

from bustle.core.extras import EXTRAS
from bustle.core.recipe import load_recipe, save_recipe
from bustle.io.raster import write_png

PHANTOMS = "phantom:?cases=6&seed=0&size=96"
SCAN = np.tile(np.arange(90, dtype=np.uint8), (80, 1))


def bustle(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, core_only.__file__, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("core") / "hand.bustle")


def test_the_packages_of_the_extras_are_hidden_and_those_of_the_core_are_not():
    absent = core_only.absent_modules()
    assert {module for extra in EXTRAS.values() for module in extra.packages} <= absent
    assert not {"bustle", "numpy", "cv2", "onnxruntime", "scipy", "yaml", "PIL"} & absent


def test_predict_with_a_package(package: Path, tmp_path: Path):
    write_png(tmp_path / "scan.png", SCAN)
    done = bustle("predict", "scan.png", "--model", package, "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 images predicted" in done.stdout
    assert (tmp_path / "out" / "scan" / "mask.png").exists()


def test_predict_with_the_model_that_comes_with_bustle(tmp_path: Path):
    write_png(tmp_path / "scan.png", SCAN)
    done = bustle("predict", "scan.png", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "by 'The reference model" in done.stdout
    assert (tmp_path / "out" / "scan" / "prediction.json").exists()


def test_evaluate_and_compare_whose_pages_say_how_to_get_their_plots(package: Path, tmp_path: Path):
    done = bustle("evaluate", "--model", package, "--data", PHANTOMS, "--out", "one", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    done = bustle("compare", "one", "other", "--out", "both", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for page in ("one/report.html", "both/report.html"):
        assert "pip install 'bustle[plots]'" in (tmp_path / page).read_text(encoding="utf-8")


def test_accept_a_package(package: Path, tmp_path: Path):
    (tmp_path / "limits.yaml").write_text("segmentation: {dice: {at_least: 0.5}}")
    words = ("accept", package, "--data", PHANTOMS, "--limits", "limits.yaml", "--out", "accepted")
    done = bustle(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "accepted/acceptance.html").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("data", "audit", PHANTOMS, "--out", "audit"),
        ("data", "split", PHANTOMS, "--folds", "2", "--out", "splits.json"),
        ("data", "split", PHANTOMS, "--track", "published", "--protocol", "acsnet", "--out", "splits.json"),
        ("data", "phantom", "--cases", "2", "--size", "64", "--out", "phantoms"),
        ("data", "phantom", "--cine", "1", "--size", "64", "--out", "videos"),
        ("models", "list", "--variants"),
    ],
    ids=" ".join,
)
def test_a_command_that_needs_no_more(words: tuple[str, ...], tmp_path: Path):
    done = bustle(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "demo", "--data", PHANTOMS, "--out", "run"), "pip install 'bustle[train]'"),
        (("evaluate", "--model", "run", "--data", PHANTOMS, "--out", "out"), "PyTorch, which is not installed"),
        (("predict", "scan.png", "--model", "run", "--out", "out"), "PyTorch, which is not installed"),
        (("export", "run", "--out", "run.bustle"), "pip install 'bustle[train]'"),
        (("models", "show", "rmtl_net"), "PyTorch, which is not installed"),
        (("data", "phantom", "--volumes", "1", "--coarse", "8", "--out", "volumes"), "pip install 'bustle[volumes]'"),
        (("data", "audit", "dicom:run", "--out", "out"), "pip install 'bustle[dicom]'"),
        (("data", "audit", "manifest:cases.parquet", "--out", "out"), "Parquet tables need pyarrow"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else None,
)
def test_a_command_that_needs_more_names_the_extra_in_one_line(words: tuple[str, ...], said: str, tmp_path: Path):
    (tmp_path / "run" / "fold-0").mkdir(parents=True)
    save_recipe(load_recipe("demo"), tmp_path / "run" / "recipe.yaml")
    for name in ("best.safetensors", "metrics.json"):
        (tmp_path / "run" / "fold-0" / name).write_text("{}")
    write_png(tmp_path / "scan.png", SCAN)
    (tmp_path / "cases.parquet").write_bytes(b"PAR1")
    done = bustle(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    *_, error = done.stderr.splitlines()
    assert error.startswith("bustle: error: ")
    assert said in error
