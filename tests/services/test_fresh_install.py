"""`pip install bustle` brings the core alone: small and soon there, no PyTorch, enough to predict from a package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
from tests.inference.hand_made_package import write_package
from tests.services.fresh_environment import FreshEnvironment

from bustle.io.raster import write_png

ROOT = Path(__file__).resolve().parents[2]
DOWNLOAD_MB, DISK_MB, SECONDS = 180, 550, 60
"""What README promises; MB are millions of bytes."""
VERSIONS = ("3.11", "3.12", "3.13")
NOT_IN_THE_CORE = ("torch", "matplotlib", "timm", "monai", "SimpleITK", "pyarrow", "sklearn", "skimage", "pandas")


def pythons() -> dict[str, Path]:
    """The interpreters of this machine by version: the one of the tests, those on the path and those of pyenv."""
    found = {"{}.{}".format(*sys.version_info): Path(sys.executable)}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in VERSIONS:
        candidates = [*pyenv.glob(f"{version}.*/bin/python3"), *filter(None, [shutil.which(f"python{version}")])]
        for candidate in map(Path, candidates):
            if version not in found and subprocess.run([candidate, "-c", ""], check=False).returncode == 0:
                found[version] = candidate
    return found


PYTHONS = pythons()


def megabytes(folder: Path) -> float:
    """The files below `folder`, compiled modules (`.pyc`) included."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def processor_seconds() -> float:
    """What the finished processes that these tests started have used: other work on the machine does not count."""
    used = os.times()
    return used.children_user + used.children_system


@pytest.fixture(params=[version for version in VERSIONS if version in PYTHONS])
def core(request: pytest.FixtureRequest, wheel: Path, tmp_path: Path) -> FreshEnvironment:
    """An environment of each Python with the core alone, of the tested versions; its weight is checked on the way.

    On the disk counts what the installation adds, with the modules that pip compiles, without the environment's own
    pip and setuptools. The time is that of unpacking and compiling: a download takes what the network takes.
    """
    environment = FreshEnvironment(tmp_path / "environment", python=PYTHONS[request.param])
    bare = megabytes(environment.folder)  # the home folder below it may fill with pip's cache
    downloads = tmp_path / "downloads"
    constraints = ("--constraint", ROOT / "constraints.txt")
    begun = time.monotonic()
    environment.run("python", "-m", "pip", "download", "--quiet", "--dest", downloads, *constraints, wheel)
    before = processor_seconds()
    environment.install("--no-index", "--find-links", downloads, *constraints, "bustle")
    used, seconds = processor_seconds() - before, time.monotonic() - begun
    downloaded = megabytes(downloads)
    installed = megabytes(environment.folder) - megabytes(environment.home) - bare
    print(
        f"Python {request.param}: {downloaded:.0f} MB downloaded, {installed:.0f} MB on the disk, "
        f"{used:.0f} s of a processor to install, "
        f"{seconds:.0f} s for both"  # told, not asserted: it is the network's and the disk's
    )
    assert downloaded <= DOWNLOAD_MB
    assert installed <= DISK_MB
    assert used <= SECONDS
    return environment


def test_the_core_predicts_from_a_package(core: FreshEnvironment) -> None:
    loaded = f"import importlib.util as u; print([n for n in {NOT_IN_THE_CORE} if u.find_spec(n)])"
    assert core.run("python", "-c", loaded).strip() == "[]"
    package = write_package(core.home / "hand.bustle")
    image = np.full((80, 90), 20, np.uint8)
    image[20:60, 20:60] = 235
    write_png(core.home / "scan.png", image)
    core.run("bustle", "predict", "scan.png", "--model", package, "--out", "predictions")
    prediction = json.loads((core.home / "predictions" / "scan" / "prediction.json").read_text(encoding="utf-8"))
    assert prediction["mask_area"] == pytest.approx(1600, rel=0.05)
    assert prediction["provenance"]["runtime"].startswith("ONNX Runtime")


def test_the_classifiers_name_the_versions_that_are_tried() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [text.rpartition(" ")[2] for text in project["classifiers"] if "Python :: 3." in text]
    assert named == list(VERSIONS)
