"""A volume that a model has read: what a reader says of it, and what they take along."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from tests.inference.hand_made_package import write_volume_package
from tests.io.dicom.made_volumes import write_volumes
from tests.webapp.conftest import Page

from bustle.core.types import Geometry
from bustle.io.volume import write_volume


@pytest.fixture(scope="module")
def volume_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_volume_package(tmp_path_factory.mktemp("model") / "model.bustle")


@pytest.fixture(scope="module")
def case(page: Page, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """With one lesion of 10 x 12 x 16 voxels."""
    voxels = np.full((40, 40, 40), 20, np.uint8)
    voxels[10:20, 12:24, 14:30] = 235
    file = tmp_path_factory.mktemp("scan") / "scan.nrrd"
    write_volume(file, voxels, geometry=Geometry(voxels.shape, spacing=(1.0, 1.0, 1.0)))
    assert page.drop({"scan.nrrd": file.read_bytes()})["state"] == "done"
    return page.case("scan.nrrd")


def put(page: Page, case: dict[str, Any], **reading: Any) -> Any:
    told = {"version": 0, "outlines": None, "birads": None, "note": ""} | reading
    return page.client.put(f"/api/cases/{case['id']}/reading", json=told)


def test_its_answer_is_told_as_an_images(case: dict[str, Any]):
    assert (case["kind"], case["problem"], case["lesions"]) == ("volume", None, [])
    assert case["answer"]["decision"] == case["decision"]
    assert case["exports"] == ["png", "json", "pdf"]


def test_it_is_accepted_signed_and_taken_along(page: Page, case: dict[str, Any]):
    outline = [[(1, 1), (9, 1), (9, 9)]]
    assert "not corrected on the page" in put(page, case, verdict="corrected", outlines=outline).text
    assert put(page, case, verdict="rejected").is_success
    taken = f"/api/cases/{case['id']}/export"
    rejected = page.client.get(f"{taken}/png").content
    assert put(page, case, verdict="accepted", birads="4A", note="upper outer", version=1).is_success
    signed = page.client.post(f"/api/cases/{case['id']}/sign", json={"version": 2, "reader": "Dr. Who"})
    assert (signed.json()["status"], signed.json()["reading"]["birads"]) == ("signed", "4A")
    assert put(page, case, verdict="rejected", version=3).status_code == 409
    second = {"verdict": "accepted", "outlines": outline, "birads": None, "note": "", "reader": "Dr. Two"}
    again = page.client.post(f"/api/cases/{case['id']}/second", json=second | {"verdict": "corrected"})
    assert again.status_code == 422
    again = page.client.post(f"/api/cases/{case['id']}/second", json=second | {"outlines": None})
    assert len(again.json()["second_readings"]) == 1
    shown = page.client.get(f"{taken}/png").content
    assert cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_COLOR) is not None
    assert shown != rejected, "the cuts with what is outlined, not the middle slice"
    told = json.loads(page.client.get(f"{taken}/json").content)
    assert told["reading"]["note"] == "upper outer"
    assert (told["volume"]["spacing_mm"], len(told["volume"]["candidates"])) == ([1.0, 1.0, 1.0], 1)
    assert page.client.get(f"{taken}/pdf").content.startswith(b"%PDF")
    assert page.client.get(f"{taken}/seg").status_code == 422


def test_a_dicom_volume_has_objects(page: Page, tmp_path: Path):
    write_volumes(tmp_path)
    file = tmp_path / "placed.dcm"
    page.drop({file.name: file.read_bytes()})
    case = page.case(file.name)
    assert case["exports"] == ["png", "json", "pdf", "seg", "sr"]
    for kind in ("seg", "sr"):
        made = page.client.get(f"/api/cases/{case['id']}/export/{kind}")
        assert made.is_success, made.text
        found = pydicom.dcmread(io.BytesIO(made.content))
        assert found.Modality == kind.upper()
    assert put(page, case, verdict="accepted").is_success
    assert page.client.post(f"/api/cases/{case['id']}/sign", json={"version": 1, "reader": "Dr. Who"}).is_success
    for kind, files in (("seg", f"seg/{case['id']}.dcm"), ("manifest", "left_out.csv")):
        archive = zipfile.ZipFile(io.BytesIO(page.client.get(f"/api/signed/{kind}").content))
        assert files in archive.namelist()
    assert case["id"] in archive.read("left_out.csv").decode()
