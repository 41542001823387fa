"""`bustle predict --format` of volumes: Segmentations on their own frames, and reports of what was measured in 3D."""

from __future__ import annotations

import re
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.sr import srread
from tests.inference.hand_made_package import write_volume_package
from tests.io.dicom.made_volumes import FIRST_VOXEL, ORDER, SIZE, SPACING, write_volumes

from bustle.cli.main import main
from bustle.core.files import read_json
from bustle.io.volume import read_instance_volume

EVERY_FRAME = list(range(1, SIZE[0] + 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study and the package."""
    folder = tmp_path_factory.mktemp("volumes")
    (folder / "study").mkdir()
    write_volumes(folder / "study")
    write_volume_package(folder / "hand.bustle")
    return folder


def predict(folder: Path, out: Path, *words: str) -> Path:
    told = ["predict", str(folder / "study"), "--model", str(folder / "hand.bustle"), "--out", str(out), *words]
    assert main(told) == 0
    return out


@pytest.fixture(scope="module")
def out(folder: Path) -> Path:
    return predict(folder, folder / "out", "--format", "seg,sr,key", "--report")


def segmentation(out: Path, folder: Path, name: str) -> tuple[highdicom.seg.Segmentation, np.ndarray]:
    """The object about a file, and the mask that was predicted."""
    uid = pydicom.dcmread(folder / "study" / f"{name}.dcm", stop_before_pixels=True).SOPInstanceUID
    for path in (out / "dicom-objects").glob("seg-*.dcm"):
        read = highdicom.seg.segread(path)
        if uid_of(read) == uid:
            return read, read_instance_volume(out / uid / "mask.nrrd")
    raise AssertionError(f"no Segmentation of {name}")


def uid_of(read: highdicom.seg.Segmentation) -> str:
    """That of the file which it tells of."""
    return read.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID


@pytest.mark.parametrize(("name", "slices"), [("plain", np.arange(SIZE[0])), ("placed", np.argsort(ORDER))])
def test_the_masks_stand_on_the_frames_of_the_volume(folder: Path, out: Path, name: str, slices: np.ndarray):
    read, mask = segmentation(out, folder, name)
    uid = uid_of(read)
    pixels = read.get_pixels_by_source_frame(
        uid, EVERY_FRAME, ignore_spatial_locations=True, assert_missing_frames_are_empty=True
    )
    assert pixels.shape == (*SIZE, 2)
    for number in (1, 2):
        assert (mask == number).any()
        np.testing.assert_array_equal(pixels[slices, :, :, number - 1], mask == number)
    (measures,) = read.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    assert [measures.SpacingBetweenSlices, *measures.PixelSpacing] == list(SPACING)


def test_a_volume_in_the_patient_is_drawn_where_it_lies(folder: Path, out: Path):
    read, mask = segmentation(out, folder, "placed")
    assert read.FrameOfReferenceUID == "2.25.77"
    drawn = read.get_volume(combine_segments=True)
    first, *_, last = np.flatnonzero(mask.any(axis=(1, 2)))
    held = drawn.array[::-1] if drawn.affine[2, 0] < 0 else drawn.array
    np.testing.assert_array_equal(held, mask[first : last + 1])
    places = [
        groups.PlanePositionSequence[0].ImagePositionPatient for groups in read.PerFrameFunctionalGroupsSequence
    ]
    x, y, z = FIRST_VOXEL
    assert min(places, key=lambda place: place[2]) == pytest.approx([x, y, z + SPACING[0] * first], rel=1e-6)


def test_slices_without_a_place_get_none(folder: Path, out: Path):
    read, _ = segmentation(out, folder, "plain")
    assert "FrameOfReferenceUID" not in read
    assert all("PlanePositionSequence" not in groups for groups in read.PerFrameFunctionalGroupsSequence)


def test_the_report_tells_of_the_whole_lesion(folder: Path, out: Path):
    (path,) = (out / "dicom-objects").glob("sr-*.dcm")
    groups = srread(path).content.get_volumetric_roi_measurement_groups()
    told = {group.tracking_uid: group for group in groups}
    assert len(told) == 4
    for name in ("plain", "placed"):
        read, mask = segmentation(out, folder, name)
        for number in read.segment_numbers:
            segment = read.get_segment_description(number)
            group = told[segment.tracking_uid]
            assert group.tracking_identifier == segment.segment_label == f"Lesion {number}"
            measured = {each.name.meaning: (each.value, each.unit.value) for each in group.get_measurements()}
            assert measured["Volume"] == (pytest.approx((mask == number).sum() * np.prod(SPACING)), "mm3")
            extent = np.ptp(np.flatnonzero((mask == number).any(axis=(1, 2)))) + 1
            record = read_json(out / uid_of(read) / "prediction.json")["candidates"][number - 1]["descriptors"]
            assert measured["Depth"] == (pytest.approx(record["values"]["depth"]), "mm")
            assert measured["Length"] == (pytest.approx(extent * SPACING[0]), "mm")
            images = [each.ReferencedSOPSequence[0] for each in group[0].ContentSequence if each.ValueType == "IMAGE"]
            named, frames = images
            assert named.ReferencedSOPInstanceUID == read.SOPInstanceUID
            assert named.ReferencedSegmentNumber == number
            assert len(frames.ReferencedFrameNumber) == extent


def test_a_volume_of_other_voxels_than_its_file_says_has_no_place(folder: Path, tmp_path: Path):
    out = predict(folder, tmp_path / "out", "--format", "seg", "--spacing", "1.5", "1", "1")
    read, _ = segmentation(out, folder, "placed")
    assert read.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices == 1.5
    assert "PlanePositionSequence" not in read.PerFrameFunctionalGroupsSequence[0]


def test_the_page_shows_what_was_measured(folder: Path, out: Path):
    cards = (out / "answers.html").read_text(encoding="utf-8").split('<article class="answer"')[1:]
    assert len(cards) == 2
    assert all(len(re.findall(r"Lesion \d: \S+ x \S+ x \S+ mm, \S+ mm³<", card)) == 2 for card in cards)
    assert all(card.count("<dt>echo pattern</dt>") == card.count("<dt>sphericity</dt>") == 2 for card in cards)


def test_a_study_of_volumes_has_an_answer(out: Path):
    (study,) = read_json(out / "summary.json")["studies"]
    assert study["answer"]["verdict"]["decision"] == "benign"
    assert [part["lesions"] for part in study["parts"]] == [2, 2]
    assert len(list((out / "dicom-objects").glob("key-*.dcm"))) == 2
