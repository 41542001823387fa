"""Result objects read back, by highdicom where it has a reader: equal masks, numbers, references and people."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.sr import CodedConcept, MeasurementsAndQualitativeEvaluations, srread
from tests.io.dicom.made_results import (
    ALGORITHM,
    ANSWER,
    CLIP,
    CREATED,
    FIRST,
    PDF,
    SECOND,
    made_results,
    write_results,
)
from tests.io.dicom.made_ultrasound import SERIES, STUDY, ultrasound

from bustle.core.errors import InputError
from bustle.inference.descriptors.definitions import DEFINITIONS
from bustle.inference.descriptors.results import BiradsWords
from bustle.io.dicom.concepts import DECISIONS, MEASUREMENTS, PROBABILITIES, WORDS, unit_of
from bustle.io.dicom.image import read_dicom
from bustle.io.dicom.result_identity import KEY_IMAGES, OUTLINES, PAGE, REPORT, write_object
from bustle.io.dicom.source import SourceImage, read_source
from bustle.io.dicom.write_seg import segment_lesions
from bustle.io.dicom.write_sr import report_measurements

OBJECTS = ("key_colour", "key_grey", "key_unknown_side", "page", "seg0", "seg1", "sr")


POSSIBLE = CodedConcept("possible", "99BUSTLE", "Class that cannot be excluded")


def _said(group: MeasurementsAndQualitativeEvaluations) -> dict[str, str]:
    """What a group says in codes; highdicom counts the algorithm's family and the finding's category among them."""
    said = {each.name.meaning: each.value.meaning for each in group.get_qualitative_evaluations()}
    assert said.pop("Algorithm Family") == "Artificial Intelligence"
    counted = ("Finding category", "Class that cannot be excluded")
    return {name: value for name, value in said.items() if name not in counted}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("objects")
    write_results(made)
    return made


def test_the_masks_of_a_clip_stand_on_its_frames(folder: Path) -> None:
    read = highdicom.seg.segread(folder / "seg0.dcm")
    clip = pydicom.dcmread(folder / "clip.dcm")
    pixels = read.get_pixels_by_source_frame(
        clip.SOPInstanceUID, [1, 2, 3], ignore_spatial_locations=True, assert_missing_frames_are_empty=True
    )
    for place, lesion in enumerate((FIRST, SECOND)):
        for frame in (1, 2, 3):
            expected = lesion.masks.get(frame, np.zeros(CLIP.shape[1:], bool))
            np.testing.assert_array_equal(pixels[frame - 1, :, :, place], expected)
    assert read.NumberOfFrames == 5
    assert [read.get_segment_description(n).segment_label for n in read.segment_numbers] == [
        "Lesion 1",
        "Lesion 2 (suspected)",
    ]


def test_the_mask_of_an_image_names_no_frame(folder: Path) -> None:
    read = highdicom.seg.segread(folder / "seg1.dcm")
    image = pydicom.dcmread(folder / "image.dcm")
    pixels = read.get_pixels_by_source_instance([image.SOPInstanceUID], ignore_spatial_locations=True)
    np.testing.assert_array_equal(pixels[0, :, :, 0], FIRST.masks[2])
    (groups,) = read.PerFrameFunctionalGroupsSequence
    assert "ReferencedFrameNumber" not in groups.DerivationImageSequence[0].SourceImageSequence[0]


def test_the_bits_of_a_mask_are_in_the_order_of_the_standard(folder: Path) -> None:
    """Without any library: the first pixel is the lowest bit of the first byte (PS3.5, 8.1.1)."""
    read = pydicom.dcmread(folder / "seg0.dcm")
    frame, size = 2, CLIP[0].size
    bits = np.array([read.PixelData[i // 8] >> i % 8 & 1 for i in range((frame - 1) * size, frame * size)], bool)
    np.testing.assert_array_equal(bits.reshape(CLIP.shape[1:]), FIRST.masks[2])


def test_the_report_says_what_was_measured_of_the_segment_that_it_names(folder: Path) -> None:
    seg = highdicom.seg.segread(folder / "seg0.dcm")
    tracked = {uid: label for label, uid in seg.get_tracking_ids()}
    groups = srread(folder / "sr.dcm").content.get_planar_roi_measurement_groups()
    assert len(groups) == 3
    of_clip = [group for group in groups if group.tracking_uid in tracked]
    assert [group.tracking_identifier for group in of_clip] == ["Lesion 1", "Lesion 2 (suspected)"]
    for group, lesion in zip(of_clip, (FIRST, SECOND), strict=True):
        found = {each.name.meaning: (each.value, each.unit.value) for each in group.get_measurements()}
        length, area = ("mm", "mm2") if lesion.unit == "mm" else ("{pixels}", "{pixels}")
        assert found == {
            "Long axis": (12.25, length),
            "Short axis": (pytest.approx(1 / 3, rel=1e-6), length),
            "Area": (7.5, area),
            "Lobes": (2, "1"),
            "Certainty of Finding": (81.25, "%"),
        }
        segment, image = group.referenced_segmentation_frame[:2]
        (reference,) = segment.ReferencedSOPSequence
        assert reference.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        named = seg.PerFrameFunctionalGroupsSequence[reference.ReferencedFrameNumber - 1]
        assert named.SegmentIdentificationSequence[0].ReferencedSegmentNumber == lesion.number
        assert named.FrameContentSequence[0].TemporalPositionIndex == lesion.measured_frame
        assert image.ReferencedSOPSequence[0].ReferencedFrameNumber == lesion.measured_frame
    assert _said(of_clip[1]) == {
        "Shape": "Irregular",
        "Posterior acoustic features": "Posterior shadowing",
        "May be no lesion at all": "Yes",
        "Cut off by the edge of the picture": "Yes",
    }


def test_the_report_says_the_answer_about_each_image(folder: Path) -> None:
    groups = srread(folder / "sr.dcm").content.get_image_measurement_groups()
    assert len(groups) == 2
    found = {each.name.meaning: each.value for each in groups[0].get_measurements()}
    assert found == {
        "Probability of a benign lesion": 40,
        "Probability of cancer": 50,
        "Probability of no lesion": 10,
    }
    assert _said(groups[0]) == {
        "Decision": "Refer: benign or malignant is open",
        "Probabilities are calibrated": "Yes",
    }
    codes = [item.value.value for item in groups[0].get_qualitative_evaluations(name=POSSIBLE)]
    assert codes == ["30807003", "21594007"]
    texts = [item.TextValue for item in groups[0][0].ContentSequence if item.ValueType == "TEXT"]
    assert texts[-4:] == [
        "AI generated. Research only, not for diagnosis.",
        "two frames?",
        "Lesions are seen in 2 images or clips of the left side and numbered in each: some may be the same",
        "Moved by: taller than wide +0.12",
    ]
    assert "Made-up mod?le" in texts
    assert f"0.1.0 model {'ab12' * 4}" in texts


def test_a_key_image_has_the_frame_s_own_pixels_and_its_marks_apart(folder: Path) -> None:
    grey, colour = pydicom.dcmread(folder / "key_grey.dcm"), pydicom.dcmread(folder / "key_colour.dcm")
    np.testing.assert_array_equal(grey.pixel_array, CLIP[1])
    np.testing.assert_array_equal(colour.pixel_array, np.repeat(CLIP[1][..., None], 3, axis=2))
    for read in (grey, colour):
        np.testing.assert_array_equal(read.overlay_array(0x6000), FIRST.masks[2])
        np.testing.assert_array_equal(read.overlay_array(0x6002), SECOND.masks[2])
        assert read.ImageType == ["DERIVED", "SECONDARY"]
        assert "not for diagnosis" in read.ImageComments
        assert read.SourceImageSequence[0].ReferencedFrameNumber == 2


def test_a_key_image_is_no_picture_to_read_again(folder: Path) -> None:
    """An archive gives it back with the study."""
    with pytest.raises(InputError, match=r"key_grey\.dcm: is a result of bustle"):
        read_dicom(folder / "key_grey.dcm")
    assert read_dicom(folder / "image.dcm").frames == 1


def test_a_page_is_kept_byte_by_byte(folder: Path) -> None:
    read = pydicom.dcmread(folder / "page.dcm")
    assert read.EncapsulatedDocument[: read.EncapsulatedDocumentLength] == PDF
    assert len(read.SourceInstanceSequence) == 2


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_belongs_to_the_person_and_the_study(folder: Path, name: str) -> None:
    read, source = pydicom.dcmread(folder / f"{name}.dcm"), pydicom.dcmread(folder / "clip.dcm")
    for kept in ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyInstanceUID", "StudyDate"):
        assert read[kept].value == source[kept].value, kept
    assert str(read.PatientName) == "Müller^Änne"
    assert read.StudyInstanceUID == STUDY
    assert read.SeriesInstanceUID != SERIES
    assert read.SeriesDescription.startswith("AI ")
    assert read.ContentQualification == "RESEARCH"
    assert read.SOPInstanceUID.startswith("2.25.")


def test_the_same_input_and_model_give_the_same_objects(folder: Path, tmp_path: Path) -> None:
    again = {path.stem: pydicom.dcmread(path) for path in write_results(tmp_path)}
    assert sorted(again) == sorted(OBJECTS)
    for name, read in again.items():
        first = pydicom.dcmread(folder / f"{name}.dcm")
        assert read.SOPInstanceUID == first.SOPInstanceUID
        assert read.SeriesInstanceUID == first.SeriesInstanceUID
    assert len({read.SeriesInstanceUID for read in again.values()}) == 5


def test_every_segmentation_is_a_series_of_its_own(folder: Path) -> None:
    """Of several in one series, OHIF shows the first."""
    first, second = (pydicom.dcmread(folder / f"seg{place}.dcm") for place in (0, 1))
    assert first.SeriesInstanceUID != second.SeriesInstanceUID
    assert [each.SeriesNumber for each in (first, second)] == [9911, 9912]
    assert second.SeriesDescription == "AI lesion outlines, research, image 2"


@pytest.mark.parametrize(
    "other",
    [
        replace(ALGORITHM, answers_sha256="cd" * 32),
        replace(ALGORITHM, version="0.2.0"),
        replace(ALGORITHM, parameters=("spacing 0.1 mm",)),
    ],
    ids=["model", "version", "spacing"],
)
def test_another_model_gives_other_objects(other: object) -> None:
    ours, theirs = made_results(), made_results(other)  # type: ignore[arg-type]
    for source, found in ours.segmentations.items():
        changed = theirs.segmentations[source].dataset
        assert changed.SOPInstanceUID != found.dataset.SOPInstanceUID
        assert changed.SeriesInstanceUID != found.dataset.SeriesInstanceUID
        assert changed.SegmentSequence[0].TrackingUID != found.dataset.SegmentSequence[0].TrackingUID


def test_no_lesion_makes_a_report_and_no_segmentation(tmp_path: Path) -> None:
    image = made_results().images[0]
    empty = replace(image, answer=replace(ANSWER, decision="no lesion", possible=("normal",)), lesions=())
    assert segment_lesions(empty, algorithm=ALGORITHM, created=CREATED) is None
    write_object(tmp_path / "sr.dcm", report_measurements([empty], {}, algorithm=ALGORITHM, created=CREATED))
    report = srread(tmp_path / "sr.dcm")
    assert report.content.get_planar_roi_measurement_groups() == []
    (group,) = report.content.get_image_measurement_groups()
    assert _said(group)["Decision"] == "No lesion"


def test_a_header_without_a_person_is_reported_on_as_it_is() -> None:
    without = dict.fromkeys(("PatientID", "PatientName", "StudyTime", "ReferringPhysicianName", "Laterality"))
    image = replace(made_results().images[1], source=SourceImage(ultrasound(CLIP[1], number=2, changes=without)))
    seg = segment_lesions(image, algorithm=ALGORITHM, created=CREATED)
    assert seg is not None
    report = report_measurements([image], {image.source.sop_instance: seg}, algorithm=ALGORITHM, created=CREATED)
    for made in (seg.dataset, report):
        assert not made.PatientID
        assert "PatientID" in made
    assert "AnatomicRegionModifierSequence" not in seg.dataset.SegmentSequence[0].AnatomicRegionSequence[0]


def test_what_a_device_writes_wrongly_about_the_person_is_kept_as_it_is() -> None:
    wrong = {
        "StudyTime": "14:04:38",
        "PatientSex": "X",
        "PatientBirthDate": "1970-01-01",
        "PatientName": "Anonymized",
    }
    image = replace(made_results().images[1], source=SourceImage(ultrasound(CLIP[1], number=2, changes=wrong)))
    seg = segment_lesions(image, algorithm=ALGORITHM, created=CREATED)
    assert seg is not None
    report = report_measurements([image], {image.source.sop_instance: seg}, algorithm=ALGORITHM, created=CREATED)
    for name, value in wrong.items():
        assert str(report[name].value) == str(seg.dataset[name].value) == value


def test_an_answer_without_probabilities_is_reported() -> None:
    image = made_results().images[1]
    nothing = replace(ANSWER, frame=1, decision="no breast ultrasound", probabilities={}, possible=(), moved_by=())
    report = report_measurements(
        [replace(image, answer=nothing, lesions=())], {}, algorithm=ALGORITHM, created=CREATED
    )
    assert "No breast ultrasound" in str(report)


def test_the_frame_of_reference_and_losses_of_the_source_are_kept() -> None:
    changes = {"FrameOfReferenceUID": "2.25.77", "LossyImageCompression": "01", "LossyImageCompressionRatio": "9.5"}
    image = replace(made_results().images[1], source=SourceImage(ultrasound(CLIP[1], changes=changes)))
    seg = segment_lesions(image, algorithm=ALGORITHM, created=CREATED)
    assert seg is not None
    assert seg.dataset.FrameOfReferenceUID == "2.25.77"
    assert (seg.dataset.LossyImageCompression, seg.dataset.LossyImageCompressionRatio) == ("01", 9.5)


def test_masks_of_another_size_or_frame_are_refused() -> None:
    image = made_results().images[1]
    with pytest.raises(ValueError, match="frames"):
        replace(image, lesions=(FIRST,))
    smaller = replace(FIRST, masks={1: FIRST.masks[1][1:]}, measured_frame=1)
    with pytest.raises(ValueError, match="size"):
        segment_lesions(replace(image, lesions=(smaller,)), algorithm=ALGORITHM, created=CREATED)


def test_a_source_that_nothing_identifies_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.dcm"
    ultrasound(CLIP[1], changes={"StudyInstanceUID": None}).save_as(path, enforce_file_format=True)
    with pytest.raises(InputError, match=r"scan\.dcm: lacks StudyInstanceUID"):
        read_source(path)
    path.write_bytes(b"no DICOM")
    with pytest.raises(InputError, match="is not a DICOM file"):
        read_source(path)


def test_every_descriptor_and_word_has_a_code() -> None:
    assert set(MEASUREMENTS) == set(DEFINITIONS)
    assert set(WORDS) == set(BiradsWords.__dataclass_fields__)


def test_the_conformance_statement_names_every_code() -> None:
    statement = (Path(__file__).parents[3] / "docs" / "reference" / "dicom-conformance.md").read_text("utf-8")
    for concept, quantity in MEASUREMENTS.values():
        unit = unit_of(quantity, unit="mm").value
        assert f"| `{concept.value}` {concept.scheme} | {concept.meaning} | `{unit}` |" in statement
    for question, answers in WORDS.values():
        assert all(
            f"{each.meaning} (`{each.value}` {each.scheme})" in statement for each in (question, *answers.values())
        )
    for concept in (*DECISIONS.values(), *PROBABILITIES.values()):
        assert concept.value in statement
    for kind in (OUTLINES, REPORT, KEY_IMAGES, PAGE):
        assert f"{kind.number}, `{kind.description}`" in statement, kind


def test_created_is_what_the_object_says(folder: Path) -> None:
    read = pydicom.dcmread(folder / "seg0.dcm")
    stated = datetime.datetime.strptime(read.ContentDate + read.ContentTime, "%Y%m%d%H%M%S")
    assert stated == CREATED
