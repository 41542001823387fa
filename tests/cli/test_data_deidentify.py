"""`bustle data deidentify`: planted names go, from elements and pictures, and what cannot be proven is said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.datadict import dictionary_has_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless
from tests.io.dicom.made_files import data_set, region, scan, written

from bustle.cli.main import main
from bustle.data.relations.beside_tissue import shown_beside_tissue
from bustle.io.dicom.frames import open_frames
from bustle.io.dicom.image import read_dicom
from bustle.io.dicom.kept_elements import EMPTY, IDENTIFYING, KEPT, NEW_UIDS
from bustle.io.dicom.pictures import pictures_of, read_picture
from bustle.io.dicom.pseudonyms import pseudonym

NAME = "PLANTED DOE"
TISSUE = (80, 40, 299, 359)
"""Top, left, bottom, right, inclusive."""


def with_text(text: str = NAME, *, place: tuple[int, int] = (8, 30)) -> NDArray[np.uint8]:
    """Speckle on black with a text beside it, as a scanner writes it."""
    picture = np.zeros((320, 400), np.uint8)
    top, left, bottom, right = TISSUE
    picture[top : bottom + 1, left : right + 1] = 60 + scan(220, 320) // 4
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1, cv2.LINE_AA)
    return picture


def planted(**elements: object) -> dict[str, object]:
    """Elements of every kind with the name in it: free text, codes, dates, sequences, private ones, curves."""
    inner = Dataset()
    inner.PatientName = "PLANTED^DOE"
    inner.CodeMeaning = "of PLANTED DOE"
    return {
        "PatientName": "PLANTED^DOE",
        "PatientID": "ID-PLANTED",
        "PatientBirthDate": "19510829",
        "OtherPatientIDs": "PLANTED2",
        "InstitutionName": "PLANTED hospital",
        "StudyDescription": "breast of PLANTED DOE",
        "SeriesDescription": "PLANTED",
        "PatientComments": "PLANTED",
        "ImageComments": "PLANTED",
        "Manufacturer": "Maker",
        "ManufacturerModelName": "Model PLANTED",
        "BodyPartExamined": "BREAST",
        "StudyDate": "20260101",
        "StudyTime": "101112",
        "AccessionNumber": "PLANTED3",
        "ReferencedImageSequence": [inner],
        "RequestAttributesSequence": [inner],
        **elements,
    }


def source(folder: Path, made: Dataset, name: str = "DOE.dcm") -> Path:
    block = made.private_block(0x0009, "PLANTED maker", create=True)
    block.add_new(0x01, "LO", "PLANTED")
    return written(folder, made, name)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    stated = [region(TISSUE)]
    still = data_set(with_text(), regions=stated, **planted(SOPInstanceUID="1.11", SeriesInstanceUID="1.10"))
    source(folder, still)
    clip = np.stack([with_text(), with_text("PLANTED", place=(200, 60))])
    colours = np.repeat(clip[..., None], 3, axis=-1)
    made = data_set(colours, frames=2, photometric="RGB", **planted(SOPInstanceUID="1.12", FrameTime=33))
    source(folder, made, "DICOM/I1")
    return folder


def cleaned(study: Path, out: Path) -> list[Path]:
    assert main(["data", "deidentify", str(study), "--out", str(out)]) == 0
    return sorted(out.rglob("*.dcm"))


def test_planted_names_are_in_no_output_and_no_name_of_a_file(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    files = cleaned(study, tmp_path / "out")
    assert len(files) == 2
    outputs = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(outputs) == 3
    content = b"".join(path.read_bytes().partition(b"\xe0\x7f\x10\0OB")[0] for path in outputs)
    told = "".join(capsys.readouterr()) + "".join(str(path.relative_to(tmp_path)) for path in outputs)
    for secret in ("PLANTED", "DOE", "19510829", "20260101", "101112", "1.2.3.4", "1.11"):
        assert secret.encode() not in content
        assert secret not in told.replace("DOE.dcm", "")
    assert b"Maker" in content


def test_the_new_files_are_whole_and_name_the_profile(study: Path, tmp_path: Path):
    for path in cleaned(study, tmp_path / "out"):
        dataset = pydicom.dcmread(path)
        assert dataset.file_meta.TransferSyntaxUID == RLELossless
        assert path == tmp_path / "out" / dataset.StudyInstanceUID / dataset.SeriesInstanceUID / path.name
        assert path.stem == dataset.SOPInstanceUID
        assert dataset.PatientIdentityRemoved == "YES"
        assert dataset.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
        assert len(dataset.DeidentificationMethod) <= 64
        assert all(dataset[keyword].is_empty for keyword in EMPTY)
        assert dataset.PatientID == dataset.PatientName == pseudonym("ID-PLANTED", kind="patient")
        assert dataset.pixel_array.shape[:3] == ((2, 320, 400) if "NumberOfFrames" in dataset else (320, 400))
        allowed = KEPT | {*NEW_UIDS, *EMPTY, "PatientName", "PatientID", "PatientIdentityRemoved", "PixelData"}
        allowed |= {"DeidentificationMethod", "DeidentificationMethodCodeSequence"}
        assert {element.keyword for element in dataset} <= allowed


def test_one_study_stays_one_and_a_second_call_gives_the_same_names(study: Path, tmp_path: Path):
    first = cleaned(study, tmp_path / "out")
    assert len({path.parent.parent.name for path in first}) == 1
    again = cleaned(study, tmp_path / "again")
    assert [path.name for path in again] == [path.name for path in first]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in first]


def test_all_outside_of_regions_is_blank_and_the_tissue_is_as_it_was(study: Path, tmp_path: Path):
    files = cleaned(study, tmp_path / "out")
    (path,) = [path for path in files if read_dicom(path).frames == 1]
    image = read_dicom(path)
    whole = open_frames(path).picture(1)[0]
    top, left, bottom, right = TISSUE
    inside = np.zeros(whole.shape, bool)
    inside[top : bottom + 1, left : right + 1] = True
    assert not whole[~inside].any()
    (picture,) = pictures_of(image)
    pixels, geometry = read_picture(picture)
    np.testing.assert_array_equal(pixels[0], with_text()[inside].reshape(220, 320))
    assert geometry.spacing == pytest.approx((0.1, 0.1))


def test_without_regions_text_beside_the_tissue_is_blanked_in_each_frame(study: Path, tmp_path: Path):
    (path,) = [path for path in cleaned(study, tmp_path / "out") if read_dicom(path).frames == 2]
    frames = open_frames(path)
    for number in (1, 2):
        picture = frames.picture(number).max(axis=0)
        assert not picture[: TISSUE[0] - 3].any()
        assert picture[TISSUE[0] : TISSUE[2]].any()


def test_what_is_left_on_tissue_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    on_tissue = with_text(NAME, place=(100, 200))
    source(tmp_path / "study", data_set(on_tissue, regions=[region(TISSUE)], **planted()))
    (path,) = cleaned(tmp_path / "study", tmp_path / "out")
    assert f"look at it: {path.relative_to(tmp_path / 'out')}: something like text is left in 1 of 1 frames" in (
        capsys.readouterr().out
    )
    record = json.loads((tmp_path / "out" / "deidentified.json").read_text("utf-8"))
    assert record["files"][0]["frames_with_marks_left"] == [1]
    assert record["files"][0]["elements_dropped_for_naming_the_patient"] == 1
    assert "Nothing proves that a picture shows no name" in record["limits"]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "PALETTE COLOR"])
def test_blank_is_what_is_shown_dark(photometric: str, tmp_path: Path):
    made = data_set(with_text(), photometric=photometric, regions=[region(TISSUE)], **planted())
    if photometric == "PALETTE COLOR":
        for colour in ("Red", "Green", "Blue"):
            setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
            table = (np.arange(256)[::-1] * 257).astype("<u2")
            made.add_new(f"{colour}PaletteColorLookupTableData", "OW", table.tobytes())
    source(tmp_path / "study", made)
    (path,) = cleaned(tmp_path / "study", tmp_path / "out")
    picture = open_frames(path).picture(1)
    assert not picture[:, : TISSUE[0]].any()
    assert picture[:, TISSUE[0] : TISSUE[2]].any()


def test_what_cannot_be_cleaned_is_not_written(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source(study, data_set(scan(), SOPClassUID="1.2.840.10008.5.1.4.1.1.2", **planted()), "PLANTED.dcm")
    cut = source(study, data_set(scan(), **planted(SOPInstanceUID="1.14")), "cut.dcm")
    cut.write_bytes(cut.read_bytes()[:-500])
    out = tmp_path / "out"
    assert main(["data", "deidentify", str(study), "--out", str(out)]) == 2
    assert len(list(out.rglob("*.dcm"))) == 2
    record = (out / "deidentified.json").read_text("utf-8")
    assert "PLANTED" not in record
    assert [re.sub(":.*", "", line) for line in json.loads(record)["left_out"]] == [
        "is of the kind CT Image; leave it out; ultrasound images, clips and volumes and secondary captures are read",
        "is cut short in frame 1",
    ]
    assert "PLANTED.dcm: is of the kind CT Image" in capsys.readouterr().err


def test_what_is_there_already_is_not_overwritten(study: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    assert main(["data", "deidentify", str(study), "--out", str(tmp_path / "out")]) == 2
    assert main(["data", "deidentify", str(study), "--out", str(study)]) == 2


def test_all_keywords_are_of_the_dictionary():
    for keyword in {*KEPT, *NEW_UIDS, *EMPTY, *IDENTIFYING}:
        tag = tag_for_keyword(keyword)
        assert tag is not None, keyword
        assert dictionary_has_tag(tag)


def test_a_picture_without_tissue_keeps_nothing_that_can_be_seen():
    picture = np.zeros((200, 300), np.uint8)
    cv2.putText(picture, NAME, (10, 100), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1)
    assert not picture[~shown_beside_tissue(picture)].any()
