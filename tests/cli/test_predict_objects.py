"""`bustle predict --format`: objects of a study that viewers open, with the masks that the files have."""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.sr import srread
from tests.inference.hand_made_package import write_package
from tests.io.dicom.made_ultrasound import write_ultrasound

from bustle.cli.main import main
from bustle.core.files import read_json
from bustle.io.raster import read_mask, write_png

BOX = {"RegionLocationMinX0": 12, "RegionLocationMinY0": 8, "RegionLocationMaxX1": 99, "RegionLocationMaxY1": 79}
SIZE = (90, 110)


def scene(column: int, *, seed: int) -> np.ndarray:
    """Speckle with one bright square, which the package by hand outlines."""
    image = np.random.default_rng(seed).integers(0, 60, SIZE, dtype=np.uint8)
    image[30:55, column : column + 25] = 240
    return image


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of three frames in which the square moves, cut out by a region, and an image."""
    folder = tmp_path_factory.mktemp("study")
    clip = np.stack([scene(30 + 4 * i, seed=i) for i in range(3)])
    made = pydicom.dcmread(write_ultrasound(folder / "clip.dcm", clip))
    for name, value in BOX.items():
        setattr(made.SequenceOfUltrasoundRegions[0], name, value)
    made.save_as(folder / "clip.dcm")
    write_ultrasound(folder / "Mueller.dcm", scene(60, seed=9), number=2)
    return folder


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("package") / "hand.bustle")


@pytest.fixture(scope="module")
def out(study: Path, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("results") / "out"
    words = ["predict", str(study), "--model", str(package), "--out", str(out), "--format", "seg,sr,json,png,pdf,key"]
    assert main(words) == 0
    return out


def objects(out: Path) -> dict[str, list[pydicom.Dataset]]:
    found: dict[str, list[pydicom.Dataset]] = {}
    for path in sorted((out / "dicom-objects").iterdir()):
        found.setdefault(path.name.partition("-")[0], []).append(pydicom.dcmread(path))
    return found


def test_a_study_gets_one_report_and_page_and_a_segmentation_and_key_image_a_file(out: Path):
    assert {kind: len(made) for kind, made in objects(out).items()} == {"key": 2, "pdf": 1, "seg": 2, "sr": 1}


def test_the_masks_stand_on_the_full_frames_of_the_clip(out: Path, study: Path):
    clip = pydicom.dcmread(study / "clip.dcm")
    (made,) = (each for each in objects(out)["seg"] if each.NumberOfFrames > 1)
    read = highdicom.seg.Segmentation.from_dataset(made)
    pixels = read.get_pixels_by_source_frame(clip.SOPInstanceUID, [1, 2, 3], ignore_spatial_locations=True)
    assert pixels.shape == (3, *SIZE, 1)
    for frame in (1, 2, 3):
        mask = read_mask(out / f"{clip.SOPInstanceUID}#{frame}" / "mask.png")
        assert mask.any()
        expected = np.zeros(SIZE, bool)
        expected[8:80, 12:100] = mask
        np.testing.assert_array_equal(pixels[frame - 1, :, :, 0], expected)


def test_the_report_says_what_the_records_say(out: Path, study: Path):
    (made,) = objects(out)["sr"]
    path = out / "dicom-objects" / f"sr-{made.SOPInstanceUID}.dcm"
    content = srread(path).content
    uid = pydicom.dcmread(study / "Mueller.dcm").SOPInstanceUID
    record = read_json(out / f"{uid}#1" / "prediction.json")
    (lesion,) = record["lesions"]
    (group,) = (
        each
        for each in content.get_planar_roi_measurement_groups()
        if each.referenced_segmentation_frame[1].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == uid
    )
    found = {each.name.meaning: each.value for each in group.get_measurements()}
    assert found["Long axis"] == pytest.approx(lesion["descriptors"]["values"]["longest_diameter"], rel=1e-5)
    assert found["Area"] == pytest.approx(lesion["area"], rel=1e-5)
    assert found["Certainty of Finding"] == pytest.approx(100 * lesion["probability"], rel=1e-5)


def test_the_page_is_a_pdf_and_names_nobody(out: Path):
    (made,) = objects(out)["pdf"]
    page = made.EncapsulatedDocument[: made.EncapsulatedDocumentLength]
    assert page.startswith(b"%PDF-")
    assert page.rstrip().endswith(b"%%EOF")
    assert page.count(b"/Type /Page\n") + page.count(b"/Type /Page ") == 1
    assert b"ller" not in page


def test_a_second_run_does_not_multiply_objects(out: Path, study: Path, package: Path):
    before = sorted(path.name for path in (out / "dicom-objects").iterdir())
    words = [
        "predict",
        str(study),
        "--model",
        str(package),
        "--out",
        str(out),
        "--format",
        "seg,sr,key,pdf",
        "--resume",
    ]
    assert main(words) == 0
    assert sorted(path.name for path in (out / "dicom-objects").iterdir()) == before
    files = [path.relative_to(out).as_posix() for path in out.rglob("*")]
    assert not any("Mueller" in name or "ller" in name for name in files)


def test_formats_that_nothing_is_given_for_are_refused_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture):
    write_png(tmp_path / "scan.png", scene(40, seed=1))
    words = ["predict", str(tmp_path / "scan.png"), "--out", str(tmp_path / "out"), "--format", "seg"]
    assert main(words) == 2
    assert "none is given" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(SystemExit, match="2"):
        main([*words[:-1], "seg,doc"])
    assert "is not of png, json, seg, sr, key, pdf" in capsys.readouterr().err
