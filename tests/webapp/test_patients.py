"""All that is kept of a person is handed over or deleted as a whole; the audit trail does not say whose it was."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.io.dicom.made_files import data_set, region, written
from tests.webapp.conftest import PICTURE, Page

from bustle.io.raster import read_image
from bustle.webapp.tables import DroppedFile

NUMBER = "HOSP-0815"


@pytest.fixture(scope="module")
def dropped(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Two files of one patient, one of which lies in an archive beside a stranger's, and one is signed."""
    pixels = read_image(PICTURE)[0]
    height, width = pixels.shape
    files = {}
    for name, number, tone in (("one", NUMBER, 0), ("two", NUMBER, 1), ("other", "4712", 2)):
        made = data_set(pixels, regions=[region((0, 0, height - 1, width - 1))], ContentLabel=f"T{tone}")
        made.PatientID = number
        files[name] = written(tmp_path_factory.mktemp(name), made, f"{name}.dcm").read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("two", "other"):
            archive.writestr(f"{name}.dcm", files[name])
    page.drop({"one.dcm": files["one"], "study.zip": packed.getvalue()})
    case = page.case("one.dcm")["id"]
    page.client.put(f"/api/cases/{case}/reading", json={"version": 0, "verdict": "accepted", "note": "her note"})
    assert page.client.post(f"/api/cases/{case}/sign", json={"version": 1, "reader": "A. B."}).status_code == 200
    return page


def found(page: Page) -> tuple[int, str, list[str]]:
    answer = page.client.post("/api/patients/find", json={"number": NUMBER})
    told = answer.json()
    return answer.status_code, told.get("patient", ""), told.get("cases", [])


def test_a_patient_is_found_by_the_number_in_the_files_which_is_kept_nowhere(dropped: Page):
    status, patient, cases = found(dropped)
    assert status == 200
    assert len(cases) == 2
    assert {case["patient"] for case in dropped.cases() if case["id"] in cases} == {patient}
    assert NUMBER not in json.dumps(dropped.cases())
    assert dropped.case("DOE^JANE")["patient"] is None
    assert dropped.client.post("/api/patients/find", json={"number": "4713"}).status_code == 404


def test_the_page_keeps_its_pseudonyms_where_the_machines_cache_is_lost(
    dropped: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (file,) = (dropped.folder / "uploads" / dropped.case("one.dcm")["drop"]).glob("*.dcm")
    monkeypatch.setenv("BUSTLE_CACHE", str(tmp_path))
    dropped.drop({"again.dcm": file.read_bytes()})
    again = dropped.case("again.dcm")
    assert again["patient"] == dropped.case("one.dcm")["patient"] == found(dropped)[1]
    assert dropped.client.delete(f"/api/cases/{again['id']}").status_code == 204


def test_a_patients_data_are_handed_over_and_nobody_elses(dropped: Page):
    _, patient, cases = found(dropped)
    answer = dropped.client.get(f"/api/patients/{patient}/data")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = archive.namelist()
        readings = [json.loads(archive.read(f"cases/{case}/readings.json")) for case in cases]
        deeds = json.loads(archive.read(f"cases/{cases[0]}/audit.json"))
    assert {name.split("/")[1] for name in names if name.startswith("cases/")} == set(cases)
    assert [name for name in names if name.startswith("dropped/")] != []
    assert not any(name.endswith(".zip") for name in names)
    assert sorted(len(one) for one in readings) == [0, 2]
    assert "personal data exported" in [line["deed"] for line in deeds]


def dropped_files(page: Page) -> list[str]:
    """What is handed over of what the patient dropped."""
    _, patient, _ = found(page)
    content = page.client.get(f"/api/patients/{patient}/data").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [name for name in archive.namelist() if name.startswith("dropped/")]


def test_a_file_that_may_show_others_is_not_handed_over(dropped: Page):
    """Another's case in it is not read yet, or was deleted: the picture is still in the file."""
    (own,) = dropped_files(dropped)
    with dropped.server.sessions.begin() as session:
        (file,) = session.scalars(select(DroppedFile).where(DroppedFile.stored == own.partition("/")[2]))
        file.expected = 2
    assert dropped_files(dropped) == []
    with dropped.server.sessions.begin() as session:
        session.add(file)
        file.expected = 1
    (stranger,) = [case for case in dropped.cases("study.zip") if case["id"] not in found(dropped)[2]]
    assert dropped.client.delete(f"/api/cases/{stranger['id']}").status_code == 204
    assert dropped_files(dropped) == [own]


def test_one_case_is_handed_over_alone(dropped: Page):
    case = dropped.case("DOE^JANE")["id"]
    answer = dropped.client.get(f"/api/cases/{case}/data")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert f"cases/{case}/picture.png" in archive.namelist()
        assert archive.read(next(name for name in archive.namelist() if "dropped" in name)) == PICTURE.read_bytes()


def test_a_patient_is_deleted_as_a_whole_by_an_admin_and_nobody_else_loses_anything(dropped: Page):
    _, patient, cases = found(dropped)
    reader = dropped.program_of("lotte", "reviewer")
    assert reader.delete(f"/api/patients/{patient}").status_code == 403
    before = {case["id"] for case in dropped.cases()}
    folder: Path = dropped.server.data.path
    assert dropped.client.delete(f"/api/patients/{patient}").status_code == 204
    assert {case["id"] for case in dropped.cases()} == before - set(cases)
    assert not any((folder / "cases" / case).exists() for case in cases)
    assert found(dropped)[0] == 404
    assert dropped.client.delete(f"/api/patients/{patient}").status_code == 404
    (line,) = [one for one in dropped.client.get("/api/audit").json() if one["deed"] == "patient deleted"]
    assert set(line["detail"]["cases"]) == set(cases)
    assert patient not in json.dumps(dropped.client.get("/api/audit?most=500").json())
