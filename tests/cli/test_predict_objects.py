"""`bustle predict --format`: objects of a study that viewers open, with the masks that the files have."""

from __future__ import annotations

import copy
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
from bustle.io.raster import write_png
from bustle.reading.frame_log import read_frames
from bustle.reading.read_clips import ClipRecord, read_clip_record

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


def of_clip(out: Path, study: Path) -> tuple[Path, ClipRecord]:
    folder = out / str(pydicom.dcmread(study / "clip.dcm").SOPInstanceUID)
    return folder, read_clip_record(folder / "clip.json")


def test_the_masks_stand_on_the_full_frames_of_the_clip(out: Path, study: Path):
    folder, _ = of_clip(out, study)
    (made,) = (each for each in objects(out)["seg"] if each.NumberOfFrames > 1)
    read = highdicom.seg.Segmentation.from_dataset(made)
    pixels = read.get_pixels_by_source_frame(folder.name, [1, 2, 3], ignore_spatial_locations=True)
    assert pixels.shape == (3, *SIZE, 1)
    for record in read_frames(folder / "frames.jsonl"):
        (lesion,) = record.lesions
        expected = np.zeros(SIZE, bool)
        lesion.mask.draw(expected[8:80, 12:100])
        assert expected[35:50, 35 + 4 * record.frame : 45 + 4 * record.frame].all()
        np.testing.assert_array_equal(pixels[record.frame - 1, :, :, 0], expected)


def test_a_clip_has_one_answer_and_each_lesion_one_number_and_identifier(out: Path, study: Path):
    folder, record = of_clip(out, study)
    answer = record.answer
    assert answer.verdict is not None
    (made,) = objects(out)["sr"]
    content = srread(out / "dicom-objects" / f"sr-{made.SOPInstanceUID}.dcm").content
    (told,) = (
        group
        for group in content.get_image_measurement_groups()
        if group.source_images[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == folder.name
    )
    (reference,) = told.source_images[0].ReferencedSOPSequence
    assert reference.ReferencedFrameNumber == answer.verdict.frame
    found = {each.name.meaning: each.value for each in told.get_measurements()}
    assert found["Probability of cancer"] == pytest.approx(100 * answer.verdict.malignant_median, rel=1e-5)
    (lesion,) = (
        group
        for group in content.get_planar_roi_measurement_groups()
        if group.referenced_segmentation_frame[1].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == folder.name
    )
    (of_record,) = answer.lesions
    image = lesion.referenced_segmentation_frame[1].ReferencedSOPSequence[0]
    assert image.ReferencedFrameNumber == of_record.best.frame
    measured = {each.name.meaning: each.value for each in lesion.get_measurements()}
    assert measured["Area"] == pytest.approx(of_record.best.area, rel=1e-5)
    (seg,) = (each for each in objects(out)["seg"] if each.NumberOfFrames > 1)
    uids = {lesion.tracking_uid, seg.SegmentSequence[0].TrackingUID, record.lesion_uids[str(of_record.number)]}
    assert len(uids) == 1
    assert lesion.tracking_identifier == seg.SegmentSequence[0].SegmentLabel == "Lesion 1"


def test_each_frame_is_predicted_once(out: Path, study: Path):
    folder, _ = of_clip(out, study)
    assert not list(out.glob(f"{folder.name}#*"))
    image = pydicom.dcmread(study / "Mueller.dcm").SOPInstanceUID
    folders = {path.name for path in out.iterdir() if path.is_dir()}
    assert folders == {folder.name, f"{image}#1", "dicom-objects"}


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


def test_the_lesions_of_two_fields_are_told_apart(package: Path, tmp_path: Path):
    """Two fields are two clips, each with a lesion 1, and one file with one Segmentation."""
    clip = np.stack([np.tile(scene(25, seed=i), (1, 2)) for i in range(3)])
    made = pydicom.dcmread(write_ultrasound(tmp_path / "clip.dcm", clip))
    (left,) = made.SequenceOfUltrasoundRegions
    right = copy.deepcopy(left)
    left.RegionLocationMaxX1, right.RegionLocationMinX0 = SIZE[1] - 1, SIZE[1]
    made.SequenceOfUltrasoundRegions = [left, right]
    made.save_as(tmp_path / "clip.dcm")
    out = tmp_path / "out"
    assert (
        main(["predict", str(tmp_path / "clip.dcm"), "--model", str(package), "--out", str(out), "--format", "sr"])
        == 0
    )
    (seg,), (sr,) = objects(out)["seg"], objects(out)["sr"]
    named = [(each.SegmentLabel, each.TrackingUID) for each in seg.SegmentSequence]
    assert [label for label, _ in named] == ["Field 1, lesion 1", "Field 2, lesion 1"]
    records = [read_clip_record(out / f"{made.SOPInstanceUID}-{field}" / "clip.json") for field in (1, 2)]
    assert [uid for _, uid in named] == [record.lesion_uids["1"] for record in records]
    groups = srread(out / "dicom-objects" / f"sr-{sr.SOPInstanceUID}.dcm").content.get_planar_roi_measurement_groups()
    assert [(group.tracking_identifier, group.tracking_uid) for group in groups] == named
