"""A patient's name, wherever it stands in a study, is in nothing that training and evaluation leave or say."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.inference.hand_made_package import write_package
from tests.io.dicom.made_files import data_set, scan, written

from bustle.cli.main import main
from bustle.data.phantom.dataset import write_phantom_set

pytestmark = pytest.mark.full

RECIPE = Path(__file__).parents[1] / "training" / "tiny.yaml"
NAME, NUMBER = "lanted", "Z4711Z"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image, a clip and a damaged file; tags, files and folders bear the name."""
    folder = tmp_path_factory.mktemp("data") / "Planted_Jane"
    tags = {"InstitutionName": "Planted", "PatientID": NUMBER}
    written(folder, data_set(scan(), SOPInstanceUID="1.1", **tags), "Planted-a")
    clip = np.stack([scan(seed=2), scan(seed=3)])
    written(folder, data_set(clip, frames=2, SOPInstanceUID="1.3", **tags), "Planted/I1")
    written(folder, data_set(scan(seed=9), SOPInstanceUID="1.9", Rows=0, **tags), "Planted-damaged.dcm")
    return folder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled") / "phantoms"
    write_phantom_set(folder, cases=12, seed=3, size=64)
    return folder


def test_training_with_a_study_names_nobody(
    study: Path, labelled: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    words = ["train", str(RECIPE), "--data", f"folder:{labelled}", f"dicom:{study}", "--out", str(tmp_path / "run")]
    more = ["--set", "training.epochs=1", "training.ema_decay=null", "--folds", "2", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["bustle", *words, *more])
    assert main([*words, *more]) == 0
    check(tmp_path, "".join(capfd.readouterr()), least_files=10)


@pytest.mark.parametrize("given", ["dicom:folder", "folder", "file", "archive"])
def test_an_evaluation_with_a_study_names_nobody(
    given: str,
    study: Path,
    labelled: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """Also where it is given without the name of its reader; whoever typed its path sees it in the terminal."""
    spec = {
        "dicom:folder": f"dicom:{study}",
        "folder": study,
        "file": study / "Planted-a",
        "archive": shutil.make_archive(str(study), "zip", study),
    }[given]
    package = write_package(tmp_path / "made.bustle")
    words = ["evaluate", "--model", str(package), "--data", f"folder:{labelled}", str(spec)]
    words += ["--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["bustle", *words])
    assert main(words) == 0
    told = "".join(capfd.readouterr())
    check(tmp_path, told if given == "dicom:folder" else "", least_files=10)
    assert any((tmp_path / "out" / "predictions").rglob("1.1#1/prediction.json"))


def check(folder: Path, told: str, *, least_files: int) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= least_files
    for planted in (NAME, NUMBER):
        assert planted not in told
        for path in files:
            assert planted not in str(path.relative_to(folder))
            assert planted.encode() not in path.read_bytes()
