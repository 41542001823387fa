"""Signed readings become training cases, through the programs' client as through the reader `app`."""

from __future__ import annotations

import dataclasses
import typing
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from tests.webapp.conftest import HOST, PICTURE, Page

from bustle.cli.main import main
from bustle.client import Case, CaseDetail, Drop, DroppedFile, Lesion, PageClient, Reading, RefusedError
from bustle.client.answers import Answer
from bustle.core.errors import InputError
from bustle.core.types import Sample
from bustle.data.sources import open_sources
from bustle.inference.prediction_files import RECORD
from bustle.reading.redrawn_outline import mask_of_outlines
from bustle.webapp import messages, signed_cases, tables

SQUARE = ((50.0, 60.0), (90.0, 60.0), (90.0, 100.0), (50.0, 100.0))


@pytest.fixture(scope="module")
def signed(page: Page, program: PageClient, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A corrected case of no class, a rejected one, an accepted benign one in DICOM, and one that is not signed."""
    folder = tmp_path_factory.mktemp("scans")
    names = ("corrected.png", "rejected.png", "unsigned.png")
    for name in names:
        (folder / name).write_bytes(PICTURE.read_bytes())
    drop = program.read([folder / name for name in names])
    assert (drop.state, drop.done, drop.total) == ("done", 3, 3)
    found = {case.name: case.id for case in program.cases(drop=drop.id)}
    found["image.dcm"] = page.case("image.dcm")["id"]
    said: dict[str, Any] = {
        "corrected.png": {"verdict": "corrected", "outlines": [SQUARE], "birads": "4B"},
        "rejected.png": {"verdict": "rejected", "birads": "6", "note": "DOE^JANE"},
        "image.dcm": {"verdict": "accepted", "birads": "2"},
    }
    for name, reading in said.items():
        read = program.save_reading(program.case(found[name]), **reading)
        done = program.sign(read, reader="Dr. A")
        assert done.reading is not None
        assert done.reading.signed is not None
    return found


def sample(page: Page, spec: str, case: str) -> Sample:
    found = {one.case_id.partition("/")[2]: one for one in open_sources([spec]).cases}
    return found[case].load()


def test_signed_readings_are_cases_with_as_much_annotation_as_there_is(
    page: Page, program: PageClient, signed: dict[str, str]
):
    spec = f"app:{HOST}"
    found = open_sources([spec])
    assert {case.case_id for case in found.cases} == {
        f"app/{signed[name]}" for name in ("corrected.png", "rejected.png", "image.dcm")
    }
    corrected, rejected, accepted = (
        sample(page, spec, signed[name]) for name in ("corrected.png", "rejected.png", "image.dcm")
    )
    assert (corrected.label, rejected.label, accepted.label) == (None, "malignant", "benign")
    assert corrected.lesion_mask is not None
    np.testing.assert_array_equal(
        corrected.lesion_mask > 0, mask_of_outlines([SQUARE], size=corrected.image.shape[1:])
    )
    assert rejected.lesion_mask is None
    assert accepted.lesion_mask is not None
    assert accepted.geometry.spacing == (0.1, 0.1)
    assert len({one.patient_id for one in (corrected, rejected, accepted)}) == 3


def test_exported_cases_are_read_as_a_folder_and_as_coco(
    page: Page, program: PageClient, signed: dict[str, str], tmp_path: Path
):
    for kind in ("manifest", "coco", "seg"):
        program.export_signed(kind, tmp_path / f"{kind}.zip")
        with zipfile.ZipFile(tmp_path / f"{kind}.zip") as archive:
            archive.extractall(tmp_path / kind)
    assert main(["data", "audit", f"app:{tmp_path / 'manifest'}", "--out", str(tmp_path / "audit")]) == 0
    assert len(open_sources([f"app:{tmp_path / 'manifest.zip'}"]).cases) == 3
    coco = f"coco:{tmp_path / 'coco' / 'annotations.json'}"
    for name in ("corrected.png", "image.dcm"):
        stem = next(one.case_id for one in open_sources([coco]).cases if signed[name] in one.case_id)
        there, here = sample(page, coco, stem.partition("/")[2]), sample(page, f"app:{HOST}", signed[name])
        assert there.label == here.label
        assert there.lesion_mask is not None
        assert here.lesion_mask is not None
        np.testing.assert_array_equal(there.lesion_mask > 0, here.lesion_mask > 0)
    (made,) = (tmp_path / "seg").rglob("*.dcm")
    assert pydicom.dcmread(made).Modality == "SEG"
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.suffix in (".csv", ".json"))
    assert b"DOE" not in written
    assert b"4711" not in written


def test_cases_of_one_file_or_of_one_patient_are_one_group(page: Page, signed: dict[str, str]):
    """Also through a case that is not exported: its file is another's file, and its patient another's patient."""
    with page.server.sessions() as session:  # in which nothing is kept
        corrected, unsigned, dicom = (
            session.get_one(tables.Case, signed[name]) for name in ("corrected.png", "unsigned.png", "image.dcm")
        )
        unsigned.file_id, unsigned.patient = corrected.file_id, dicom.patient
        groups = signed_cases._groups(session)
        assert dicom.patient is not None
        assert groups[corrected.id] == groups[unsigned.id] == groups[dicom.id]
        assert groups[signed["rejected.png"]] == signed["rejected.png"]


def test_a_damaged_case_is_named_and_holds_up_no_other(
    page: Page, program: PageClient, signed: dict[str, str], tmp_path: Path
):
    case = signed["image.dcm"]
    (record,) = (page.folder / "cases" / case).rglob(RECORD)
    content = record.read_bytes()
    record.write_text("{")
    try:
        for kind in ("manifest", "coco", "seg"):
            program.export_signed(kind, tmp_path / f"{kind}.zip")
            with zipfile.ZipFile(tmp_path / f"{kind}.zip") as archive:
                assert archive.read("left_out.csv").decode().splitlines()[1].startswith(f"{case},")
                assert not any(case in name for name in archive.namelist())
    finally:
        record.write_bytes(content)
    found = open_sources([f"app:{tmp_path / 'manifest.zip'}"])
    assert {one.case_id for one in found.cases} == {
        f"app/{signed[name]}" for name in ("corrected.png", "rejected.png")
    }
    assert [case in finding.message for finding in found.findings] == [True]
    lines = [line for line in page.client.get("/api/audit").json() if line["deed"] == "signed cases exported"]
    assert [line["detail"]["left_out"] for line in lines[:3]] == [[case]] * 3


def test_the_least_certain_of_what_is_not_signed_is_first(program: PageClient, signed: dict[str, str]):
    cases = program.cases(uncertain_first=True)
    assert [case.status == "signed" for case in cases] == sorted(case.status == "signed" for case in cases)
    distances = [
        abs(case.malignant - 0.5) for case in cases if case.status != "signed" and case.malignant is not None
    ]
    assert distances == sorted(distances)
    assert {case.id for case in cases} == {case.id for case in program.cases()}


def test_what_the_page_refuses_is_said(program: PageClient, signed: dict[str, str], page: Page, tmp_path: Path):
    with pytest.raises(RefusedError, match="no such case") as caught:
        program.case("0")
    assert (caught.value.status, caught.value.code) == (404, "no-case")
    detail = program.case(signed["unsigned.png"])
    program.save_reading(detail, verdict="accepted")
    with pytest.raises(RefusedError, match="somebody else") as caught:
        program.save_reading(detail, verdict="accepted")
    assert caught.value.status == 409
    with pytest.raises(InputError, match="no address"):
        PageClient("127.0.0.1:8765")
    with pytest.raises(InputError, match="folder that a page works in"):
        open_sources([f"app:{page.folder}"])
    with pytest.raises(InputError, match=r"holds no manifest\.csv"):
        open_sources([f"app:{tmp_path}"])
    (tmp_path / "empty.png").touch()
    with pytest.raises(InputError, match="is empty"):
        program.read([tmp_path / "empty.png"])


def test_a_reader_does_not_get_all_cases(program: PageClient, page: Page, signed: dict[str, str], tmp_path: Path):
    token = page.program_of("rita", "reader").headers["Authorization"].removeprefix("Bearer ")
    with pytest.raises(RefusedError, match="reviewer"):
        PageClient(HOST, token=token).export_signed("manifest", tmp_path / "all.zip")
    assert not (tmp_path / "all.zip").exists()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Case, messages.CaseSummary),
        (CaseDetail, messages.CaseDetail),
        (Drop, messages.DropInfo),
        (DroppedFile, messages.DroppedFileInfo),
        (Answer, messages.AnswerInfo),
        (Lesion, messages.LesionInfo),
        (Reading, messages.ReadingInfo),
    ],
)
def test_the_client_knows_what_the_page_tells(kind: Any, message: type[messages.Message]):
    told = message.model_fields
    for field in dataclasses.fields(kind):
        assert field.name in told, field.name
    hints = typing.get_type_hints(kind)
    for name, hint in hints.items():
        optional = type(None) in typing.get_args(hint)
        assert optional == (type(None) in typing.get_args(told[name].annotation)), name
