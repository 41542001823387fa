"""What `pip install bustle` alone can do, and what it says of the rest; `core_only` hides all other packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.inference.hand_made_package import write_package
from tests.services import core_only

from bustle.cli.accept import EXIT_CODES
from bustle.core.extras import EXTRAS
from bustle.core.recipe import load_recipe, save_recipe
from bustle.io.raster import write_png

PHANTOMS = "phantom:?cases=6&seed=0&size=96"
SCAN = np.tile(np.arange(90, dtype=np.uint8), (80, 1))


Words = tuple[str | Path, ...]


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def run_all(commands: Iterable[Words], *, cwd: Path) -> list[Done]:
    """Each command in turn, in one process that has nothing but the core."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    told = json.dumps([list(map(str, words)) for words in commands])
    process = [sys.executable, core_only.__file__, told]
    done = subprocess.run(process, capture_output=True, text=True, cwd=cwd, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return [Done(*each) for each in json.loads(done.stdout)]


def bustle(*words: str | Path, cwd: Path) -> Done:
    (done,) = run_all([words], cwd=cwd)
    return done


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("core") / "hand.bustle")


def test_the_packages_of_the_extras_are_hidden_and_those_of_the_core_are_not():
    absent = core_only.absent_modules()
    named = {module for extra in EXTRAS.values() for module in extra.packages}
    assert {module for module in named if find_spec(module)} <= absent  # s3fs is in no environment of development
    assert not {"bustle", "numpy", "cv2", "onnxruntime", "scipy", "yaml", "PIL"} & absent


def test_predict_with_a_package_and_with_the_model_that_comes_with_bustle(package: Path, tmp_path: Path):
    write_png(tmp_path / "scan.png", SCAN)
    given, own = run_all(
        [
            ("predict", "scan.png", "--model", package, "--out", "given"),
            ("predict", "scan.png", "--out", "own"),
        ],
        cwd=tmp_path,
    )
    assert given.returncode == own.returncode == 0, given.stderr + own.stderr
    assert "1 of 1 images predicted" in given.stdout
    assert (tmp_path / "given" / "scan" / "mask.png").exists()
    assert "by 'The reference model" in own.stdout
    assert (tmp_path / "own" / "scan" / "prediction.json").exists()


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
    assert done.returncode in EXIT_CODES.values(), done.stderr
    assert (tmp_path / "accepted/acceptance.html").exists()


NO_MORE: tuple[Words, ...] = (
    ("data", "audit", PHANTOMS, "--out", "audit"),
    ("data", "split", PHANTOMS, "--folds", "2", "--out", "splits.json"),
    ("data", "split", PHANTOMS, "--track", "published", "--protocol", "acsnet", "--out", "published.json"),
    ("data", "phantom", "--cases", "2", "--size", "64", "--out", "phantoms"),
    ("data", "phantom", "--cine", "1", "--size", "64", "--out", "videos"),
    ("models", "list", "--variants"),
)


def test_commands_that_need_no_more(tmp_path: Path):
    for words, done in zip(NO_MORE, run_all(NO_MORE, cwd=tmp_path), strict=True):
        assert done.returncode == 0, f"{words}: {done.stderr}"


NEEDS_MORE: tuple[tuple[Words, str], ...] = (
    (("train", "demo", "--data", PHANTOMS, "--out", "trained"), "pip install 'bustle[train]'"),
    (("evaluate", "--model", "run", "--data", PHANTOMS, "--out", "out"), "PyTorch, which is not installed"),
    (("predict", "scan.png", "--model", "run", "--out", "out"), "PyTorch, which is not installed"),
    (("export", "run", "--out", "run.bustle"), "pip install 'bustle[train]'"),
    (("models", "show", "rmtl_net"), "PyTorch, which is not installed"),
    (("data", "phantom", "--volumes", "1", "--coarse", "8", "--out", "volumes"), "pip install 'bustle[volumes]'"),
    (("data", "audit", "dicom:run", "--out", "out"), "pip install 'bustle[dicom]'"),
    (("data", "audit", "manifest:cases.parquet", "--out", "out"), "Parquet tables need pyarrow"),
)


def test_commands_that_need_more_name_the_extra_in_one_line(tmp_path: Path):
    (tmp_path / "run" / "fold-0").mkdir(parents=True)
    save_recipe(load_recipe("demo"), tmp_path / "run" / "recipe.yaml")
    for name in ("best.safetensors", "metrics.json"):
        (tmp_path / "run" / "fold-0" / name).write_text("{}")
    write_png(tmp_path / "scan.png", SCAN)
    (tmp_path / "cases.parquet").write_bytes(b"PAR1")
    commands = [words for words, _ in NEEDS_MORE]
    for (words, said), done in zip(NEEDS_MORE, run_all(commands, cwd=tmp_path), strict=True):
        assert done.returncode == 2, f"{words}: {done.stdout}{done.stderr}"
        *_, error = done.stderr.splitlines()
        assert error.startswith("bustle: error: ")
        assert said in error
