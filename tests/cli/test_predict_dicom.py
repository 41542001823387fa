"""`bustle predict` of DICOM files: a frame is an image, spacing becomes millimetres, no name goes into any output."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import JPEGBaseline8Bit
from tests.inference.hand_made_package import write_package
from tests.io.dicom.made_files import data_set, region, scan, written

from bustle.cli.main import main
from bustle.core.cache_folder import cache_directory
from bustle.inference.inputs import find_images


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("dicom") / "hand.bustle")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A picture with a region, one with two, a clip of two frames below; PLANTED is in tags only."""
    folder = tmp_path / "study"
    one = [region((10, 10, 59, 79), (0.02, 0.01))]
    two = [region((0, 0, 59, 38)), region((0, 41, 59, 79))]
    written(folder, data_set(scan(), SOPInstanceUID="1.1", regions=one, InstitutionName="Planted"), "a")
    written(folder, data_set(scan(seed=1), SOPInstanceUID="1.2", regions=two), "b.dcm")
    clip = np.stack([scan(seed=2), scan(seed=3)])
    written(folder, data_set(clip, frames=2, SOPInstanceUID="1.3", PixelSpacing=[0.3, 0.3]), "DICOM/00/I1")
    return folder


def predicted(folder: Path) -> dict[str, dict]:
    return {path.parent.name: json.loads(path.read_text("utf-8")) for path in folder.rglob("prediction.json")}


NAMES = ["1.1#1", "1.2#1-1", "1.2#1-2"]
CLIP = "1.3"
STUDY_FILES = ["contact_sheet.png", "frames.csv", "summary.json"]


def jpeg(frame: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "JPEG")
    return stream.getvalue()


def clip_header(folder: Path) -> dict:
    return json.loads((folder / CLIP / "frames.jsonl").read_text("utf-8").splitlines()[0])


def test_each_frame_and_field_is_predicted_with_its_millimetres(study: Path, package: Path, tmp_path: Path):
    assert main(["predict", str(study), "--model", str(package), "--out", str(tmp_path / "out")]) == 0
    records = predicted(tmp_path / "out")
    assert sorted(records) == NAMES
    assert records["1.1#1"]["spacing_mm"] == pytest.approx([0.2, 0.1])
    assert records["1.1#1"]["image_size"] == [50, 70]
    assert records["1.2#1-2"]["image_size"] == [60, 39]
    assert (clip_header(tmp_path / "out")["frames"], clip_header(tmp_path / "out")["unit"]) == (2, "mm")


def test_a_zip_archive_and_another_spacing(study: Path, package: Path, tmp_path: Path):
    archive = shutil.make_archive(str(study), "zip", study)
    words = ["predict", archive, "--spacing", "0.5", "--model", str(package), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    records = predicted(tmp_path / "out")
    assert sorted(records) == NAMES
    assert all(record["spacing_mm"] == [0.5, 0.5] for record in records.values())


def test_the_images_of_a_zip_archive_are_found_in_whatever_folders(package: Path, tmp_path: Path):
    for name in ("scans/a.png", "scans/a_mask.png", "scans/left/b.png"):
        path = tmp_path / "packed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scan(seed=len(name))).save(path)
    archive = shutil.make_archive(str(tmp_path / "scans"), "zip", tmp_path / "packed")
    assert main(["predict", archive, "--model", str(package), "--out", str(tmp_path / "out")]) == 0
    assert sorted(predicted(tmp_path / "out")) == ["a", "b"]


def test_what_cannot_be_read_is_one_line_and_the_rest_is_done(
    study: Path, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    whole = written(study, data_set(scan(), SOPInstanceUID="1.9"), "cut.dcm")
    whole.write_bytes(whole.read_bytes()[:-1000])
    doppler = [region((0, 0, 59, 79), RegionSpatialFormat=3, RegionDataType=3)]
    written(study, data_set(scan(), SOPInstanceUID="1.8", regions=doppler), "doppler.dcm")
    assert main(["predict", str(study), "--model", str(package), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "cut.dcm: is cut short in frame 1: 3800 of 4800 bytes; fetch it again from where it is kept" in said
    assert "doppler.dcm: shows spectral Doppler and no B-mode; leave it out" in said
    assert "2 of 6 images and clips could not be read" in said
    assert sorted(predicted(tmp_path / "out")) == NAMES
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*NAMES, CLIP, *STUDY_FILES])
    skipped = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))["skipped"]
    assert sorted(each["reason"] for each in skipped) == [
        "is cut short in frame 1: 3800 of 4800 bytes; fetch it again from where it is kept, or leave it out",
        "shows spectral Doppler and no B-mode; leave it out",
    ]


def test_a_study_of_which_nothing_can_be_read_says_why_whatever_is_asked_of_it(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    study, out = tmp_path / "study", tmp_path / "out"
    written(study, data_set(scan(), SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), "a.dcm")
    (study / "below").mkdir()
    (study / "below" / "b.dcm").write_bytes(b"")
    words = ["predict", str(study), "--format", "seg,sr", "--model", str(package), "--out", str(out)]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "a.dcm: is of the kind MR Image; leave it out" in said
    assert "b.dcm: is empty (0 bytes); fetch it again" in said
    assert "2 of 2 images could not be read" in said
    assert not out.exists()


def test_a_damaged_frame_is_told_with_its_file(package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    frames = np.stack([scan(seed=seed) for seed in range(3)])
    packed = [jpeg(frame) for frame in frames]
    packed[1] = bytes(200)
    made = data_set(frames, frames=3, syntax=JPEGBaseline8Bit, packed=packed, SOPInstanceUID="1.7")
    path = written(tmp_path / "study", made, "clip.dcm")
    assert main(["predict", str(path), "--model", str(package), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert (
        f"{path}: is a damaged DICOM file: frame 2 cannot be decoded as JPEG Baseline (Process 1); fetch it again"
        in said
    )
    assert "1 frames of clips could not be read" in said
    rows = (tmp_path / "out" / "frames.csv").read_text("utf-8")
    assert "clip.dcm" not in rows
    assert len(rows.splitlines()) == 4


def test_nothing_of_the_patient_is_said_or_written(
    study: Path, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    written(study, data_set(scan(), SOPInstanceUID="1.8", Rows=0), "damaged.dcm")
    out = tmp_path / "out"
    main(["predict", str(study), "--report", "--model", str(package), "--out", str(out)])
    main(["data", "audit", f"dicom:{study}", "--out", str(tmp_path / "audit")])
    main(["data", "split", f"dicom:{study}", "--folds", "2", "--out", str(tmp_path / "splits.json")])
    told = "".join(capsys.readouterr())
    files = [path for path in tmp_path.rglob("*") if path.is_file() and study not in path.parents]
    assert len(files) > 10
    for planted in ("Planted", "4711"):
        assert planted not in told
        for path in files:
            assert planted not in str(path.relative_to(tmp_path))
            assert planted.encode() not in path.read_bytes()


def unpacked_studies() -> list[Path]:
    return sorted(path for path in (cache_directory() / "archives").rglob("*") if path.is_file())


def test_a_zipped_study_is_gone_when_the_process_ends_or_the_next_one_begins(study: Path, tmp_path: Path):
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", study)
    before = unpacked_studies()
    program = (
        "import os, sys; from bustle.inference.inputs import find_images; "
        f"found = find_images([{archive!r}]); assert len(found) == 5; "
        "print(found[0].path, flush=True); signal = int(sys.argv[1]); signal and os.kill(os.getpid(), signal)"
    )

    def run(signal: int) -> Path:
        done = subprocess.run(
            [sys.executable, "-c", program, str(signal)], capture_output=True, text=True, check=False
        )
        assert done.stdout, done.stderr
        return Path(done.stdout.strip())

    assert not run(0).exists()
    assert not run(2).exists()
    assert unpacked_studies() == before
    left = run(9)
    assert left.exists()
    lock = next(path for path in left.parents if path.name.startswith(".preparing-")) / "lock"
    os.utime(lock, (0, 0))
    find_images([str(study)])
    assert not left.exists()
    assert unpacked_studies() == before


def test_a_file_s_name_is_in_nothing_that_travels(package: Path, tmp_path: Path):
    """A patient's name may be a file's; whoever typed the path may see it."""
    study = tmp_path / "study"
    study.mkdir()
    whole = written(study, data_set(scan(), SOPInstanceUID="1.9"), "Plantedname_Jane.dcm")
    written(study, data_set(scan(seed=7), SOPInstanceUID="1.9"), "Plantedname_John.dcm")
    cut = written(study, data_set(scan(), SOPInstanceUID="1.7"), "Plantedname_cut.dcm")
    cut.write_bytes(cut.read_bytes()[:-1000])
    assert whole.exists()
    out = tmp_path / "out"
    words = ["predict", str(study), "--report", "--format", "seg,sr,key,pdf", "--model", str(package)]
    assert main([*words, "--out", str(out)]) == 2
    assert main(["data", "audit", f"dicom:{study}", "--out", str(tmp_path / "audit")]) == 0
    main(["evaluate", "--model", str(package), "--data", f"dicom:{study}", "--out", str(tmp_path / "evaluated")])
    files = [path for path in tmp_path.rglob("*") if path.is_file() and study not in path.parents]
    assert (out / "summary.json") in files
    for path in files:
        assert "Plantedname" not in str(path)
        assert b"Plantedname" not in path.read_bytes()
