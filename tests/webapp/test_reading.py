"""From a dropped file to a signed reading and its exports, through the API alone."""

from __future__ import annotations

import dataclasses
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from fastapi import HTTPException
from numpy.typing import NDArray
from sqlalchemy import event
from tests.io.dicom.made_files import data_set, written
from tests.webapp.conftest import PICTURE, Page

from bustle.core.types import Geometry
from bustle.inference.predictor import Predictor
from bustle.io.raster import read_image
from bustle.io.volume import write_volume
from bustle.reading.redrawn_outline import mask_of_outlines
from bustle.webapp import exports, readings
from bustle.webapp.model_in_use import ModelInUse
from bustle.webapp.read_drop import DropReader
from bustle.webapp.tables import Case, Reading

PICTURE_NAME, DICOM_NAME = "DOE^JANE.png", "image.dcm"


def square(left: int, top: int, side: int) -> list[tuple[float, float]]:
    return [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]


def decoded(content: bytes, how: int = cv2.IMREAD_COLOR) -> NDArray[np.uint8]:
    """The pixels of a PNG file."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), how)
    assert pixels is not None
    return np.asarray(pixels, np.uint8)


def test_a_dropped_picture_is_answered_as_bustle_predict_does(page: Page):
    case = page.case(PICTURE_NAME)
    assert (case["kind"], case["status"], case["version"]) == ("image", "new", 0)
    assert case["answer"]["calibrated"]
    assert sum(case["answer"]["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    assert case["malignant"] == case["answer"]["probabilities"]["malignant"]
    assert [flag["kind"] for flag in case["flags"]] == ["seen", "no_spacing"], "the model was trained on it"
    nearest, *others = case["similar_cases"]
    assert (nearest["source"], nearest["distance"], len(others)) == ("breast", pytest.approx(0, abs=0.5), 4)
    lesion = case["lesions"][0]
    assert lesion["unit"] == "px"
    assert {"depth_width_ratio", "circularity"} <= {value["name"] for value in lesion["values"]}
    assert case["exports"] == ["png", "json", "pdf"]


def test_a_dicom_file_is_measured_in_mm(page: Page):
    in_pixels, in_mm = page.case(PICTURE_NAME), page.case(DICOM_NAME)
    assert in_mm["spacing_mm"] == [0.1, 0.1]
    assert in_mm["lesions"][0]["unit"] == "mm"
    assert in_mm["lesions"][0]["long_axis"] == pytest.approx(0.1 * in_pixels["lesions"][0]["long_axis"], rel=1e-6)
    assert in_mm["exports"] == ["png", "json", "pdf", "seg", "sr"]


def test_the_models_own_outline_measured_again_is_what_it_was(page: Page):
    case = page.case(PICTURE_NAME)
    outlines = [lesion["outline"] for lesion in case["lesions"]]
    measured = page.client.post(f"/api/cases/{case['id']}/measure", json={"outlines": outlines}).json()
    for was, again in zip(case["lesions"], measured["lesions"], strict=True):
        for name in ("area", "long_axis", "short_axis", "values"):
            assert again[name] == was[name], name
    assert measured["answer"]["decision"] == case["answer"]["decision"]
    for name, value in case["answer"]["probabilities"].items():
        assert measured["answer"]["probabilities"][name] == pytest.approx(value, abs=1e-9)


def test_another_outline_has_other_measures(page: Page):
    case = page.case(DICOM_NAME)
    told = page.client.post(f"/api/cases/{case['id']}/measure", json={"outlines": [square(50, 60, 39)]}).json()
    assert [lesion["area"] for lesion in told["lesions"]] == [pytest.approx(40 * 40 * 0.01)]
    assert page.case(DICOM_NAME)["version"] == 0


@pytest.mark.parametrize(
    "outlines", [[[[0, 0], [5, 5]]], [square(0, 0, 5)] * 51, "all", [[[None, 1], [2, 3], [4, 5]]]]
)
def test_what_is_no_outline_is_refused(page: Page, outlines: object):
    case = page.cases(PICTURE_NAME)[0]
    refused = page.client.post(f"/api/cases/{case['id']}/measure", json={"outlines": outlines})
    assert refused.status_code == 422


def test_pictures_are_png_of_the_cases_size(page: Page):
    case = page.case(PICTURE_NAME)
    size = (case["height"], case["width"])
    for path, channels in (("picture", 1), ("explanations/0", 4)):
        answer = page.client.get(f"/api/cases/{case['id']}/{path}")
        assert answer.headers["content-type"] == "image/png"
        shown = decoded(answer.content, cv2.IMREAD_UNCHANGED)
        assert shown.shape == (size if channels == 1 else (*size, channels))
    assert page.client.get(f"/api/cases/{case['id']}/explanations/7").status_code == 404
    spread = decoded(page.client.get(f"/api/cases/{case['id']}/spread").content, cv2.IMREAD_UNCHANGED)
    assert spread.shape == (*size, 4)
    assert 0 < (spread[..., 3] > 0).mean() < 0.5  # it lies about the outline


def test_a_case_is_corrected_signed_and_exported(page: Page):
    case = page.case(DICOM_NAME)
    outlines = [square(50, 60, 39)]
    reading = {
        "version": 0,
        "verdict": "corrected",
        "outlines": outlines,
        "birads": "4B",
        "note": "seen twice",
    }
    saved = page.client.put(f"/api/cases/{case['id']}/reading", json=reading)
    assert saved.status_code == 200, saved.text
    assert saved.json()["measured"]["lesions"][0]["area"] == pytest.approx(16.0)
    late = page.client.put(f"/api/cases/{case['id']}/reading", json=reading | {"note": "from another tab"})
    assert late.status_code == 409
    signed = page.client.post(f"/api/cases/{case['id']}/sign", json={"version": 1, "reader": "A. Reader"}).json()
    assert (signed["status"], signed["version"], signed["reading"]["reader"]) == ("signed", 2, "A. Reader")
    assert signed["reading"]["note"] == "seen twice"
    again = page.client.put(f"/api/cases/{case['id']}/reading", json=reading | {"version": 2})
    assert again.status_code == 409

    def exported(kind: str) -> bytes:
        answer = page.client.get(f"/api/cases/{case['id']}/export/{kind}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"].startswith("attachment")
        return answer.content

    outlined = pydicom.dcmread(io.BytesIO(exported("seg")))
    assert outlined.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"
    expected = mask_of_outlines(outlines, size=(case["height"], case["width"]))
    np.testing.assert_array_equal(outlined.pixel_array.squeeze() > 0, expected)
    report = pydicom.dcmread(io.BytesIO(exported("sr")))
    assert outlined.SOPInstanceUID in str(report)
    assert exported("pdf").startswith(b"%PDF")
    picture = decoded(exported("png"), cv2.IMREAD_COLOR)
    assert picture.shape == (case["height"], case["width"], 3)
    assert b'"corrected"' in exported("json")


def test_readings_that_contradict_themselves_are_refused(page: Page):
    case = page.cases(PICTURE_NAME)[0]["id"]
    for wrong in (
        {"version": 0, "verdict": "corrected"},
        {"version": 0, "verdict": "accepted", "outlines": [square(9, 9, 9)]},
        {"version": 0, "verdict": "accepted", "birads": "7"},
        {"version": 0, "verdict": "accepted", "unknown": 1},
    ):
        assert page.client.put(f"/api/cases/{case}/reading", json=wrong).status_code == 422, wrong
    assert page.client.post(f"/api/cases/{case}/sign", json={"version": 1, "reader": "A"}).status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"version": 0, "verdict": "accepted", "note": "half a character: \\ud800"}',
        b'{"version": 0, "verdict": "accepted", "note": "a zero: \\u0000"}',
        b'{"version": -1, "verdict": "accepted"}',
        b'{"version": 0, "verdict": "corrected", "outlines": [[[1e999, 1], [2, 2], [3, 9]]]}',
        b'{"version": 0, "verdict": "corrected", "outlines": [[[NaN, 1], [2, 2], [3, 9]]]}',
    ],
)
def test_a_request_that_is_wrong_is_told_where_and_not_quoted(page: Page, body: bytes):
    case = page.cases(PICTURE_NAME)[0]["id"]
    refused = page.client.put(
        f"/api/cases/{case}/reading", content=body, headers={"Content-Type": "application/json"}
    )
    assert refused.status_code == 422
    assert refused.json()["code"] == "wrong-request"
    assert refused.json()["values"]["told"].startswith("body")
    assert "half a" not in refused.text


def test_a_clip_has_an_answer_and_a_picture_and_is_not_read_on_the_page(page: Page, tmp_path: Path):
    frame = read_image(PICTURE)[0]
    clip = written(tmp_path, data_set(np.stack([frame, frame[:, ::-1]]), frames=2, CineRate=20), "clip.dcm")
    assert page.drop({"clip.dcm": clip.read_bytes()})["state"] == "done"
    case = page.case("clip.dcm")
    assert (case["kind"], case["status"], case["exports"]) == ("clip", "new", [])
    assert case["decision"] is not None
    shown = page.client.get(f"/api/cases/{case['id']}/picture")
    assert decoded(shown.content, cv2.IMREAD_COLOR).shape[0] == case["height"]
    accepted = {"version": 0, "verdict": "accepted"}
    assert page.client.put(f"/api/cases/{case['id']}/reading", json=accepted).status_code == 409
    assert page.client.get(f"/api/cases/{case['id']}/export/png").status_code == 409


def test_a_frame_of_a_clip_is_seen_corrected_signed_and_exported_like_an_image(
    page: Page, monkeypatch: pytest.MonkeyPatch
):
    case = page.case("clip.dcm")
    clip = page.client.get(f"/api/cases/{case['id']}/clip").json()
    assert [frame["number"] for frame in clip["frames"]] == [1, 2]
    assert clip["best"] == clip["lesions"][0]["best"]
    assert min(len(frame["outlines"][0]) for frame in clip["frames"]) > 10
    shown = page.client.get(f"/api/cases/{case['id']}/frames/2/picture")
    mirrored = read_image(PICTURE)[0][:, ::-1]
    np.testing.assert_array_equal(decoded(shown.content, cv2.IMREAD_GRAYSCALE), mirrored)
    assert page.client.get(f"/api/cases/{case['id']}/frames/3/picture").status_code == 404

    read, other_too, reading = DropReader.read_image, Event(), []

    def slowly(*asked: Any) -> None:
        reading.append(asked)
        if len(reading) == 2:
            other_too.set()
        other_too.wait(0.2)  # as long as somebody else may need to begin the same
        read(*asked)

    with monkeypatch.context() as patched, ThreadPoolExecutor() as threads:
        patched.setattr(DropReader, "read_image", slowly)
        asked = list(threads.map(page.client.post, 2 * [f"/api/cases/{case['id']}/frames/2/case"]))
    assert len(reading) == 1
    assert [answer.status_code for answer in asked] == [201, 201]
    made = asked[0].json()
    assert made == asked[1].json()
    assert (made["kind"], made["frame"], made["clip_id"]) == ("image", 2, case["id"])
    assert made["malignant"] == pytest.approx(clip["frames"][1]["malignant"], abs=1e-4)
    told = page.client.get(f"/api/cases/{case['id']}/clip").json()
    assert [frame["case"] for frame in told["frames"]] == [None, made["id"]]
    corrected = {"version": 0, "verdict": "corrected", "outlines": [square(40, 40, 50)]}
    path = f"/api/cases/{made['id']}"
    assert page.client.put(f"{path}/reading", json=corrected).status_code == 200
    assert page.client.post(f"{path}/sign", json={"version": 1, "reader": "A. Reader"}).status_code == 200
    outlined = pydicom.dcmread(io.BytesIO(page.client.get(f"{path}/export/seg").content))
    assert outlined.NumberOfFrames == 1
    assert outlined.pixel_array.sum() == 51 * 51
    of = outlined.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert of.ReferencedFrameNumber == 2

    drop = page.client.get(f"/api/drops/{case['drop']}").json()
    assert (drop["done"], drop["total"]) == (1, 1)
    assert page.client.delete(path).status_code == 204
    assert page.client.get(f"/api/cases/{case['id']}/clip").json()["frames"][1]["case"] is None


@pytest.mark.full
def test_a_frame_of_a_video_is_read_like_an_image(page: Page, tmp_path: Path):
    frame = np.repeat(read_image(PICTURE)[0][..., None], 3, axis=2)
    video = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, frame.shape[1::-1])
    for _ in range(2):
        video.write(frame)
    video.release()
    page.drop({"film.avi": (tmp_path / "clip.avi").read_bytes()})
    case = page.case("film.avi")
    made = page.client.post(f"/api/cases/{case['id']}/frames/1/case").json()
    detail = page.client.get(f"/api/cases/{made['id']}").json()
    assert (detail["exports"], detail["spacing_mm"]) == (["png", "json", "pdf"], None)
    assert page.client.get(f"/api/cases/{made['id']}/export/png").status_code == 200


def test_a_volume_without_a_model_for_it_is_shown_and_says_so(page: Page, tmp_path: Path):
    voxels = np.repeat(read_image(PICTURE)[:, ::4, ::4], 4, axis=0)
    write_volume(tmp_path / "scan.nrrd", voxels, geometry=Geometry(voxels.shape, spacing=(1.0, 0.5, 0.5)))
    page.drop({"scan.nrrd": (tmp_path / "scan.nrrd").read_bytes()})
    case = page.case("scan.nrrd")
    assert (case["kind"], case["decision"], case["exports"]) == ("volume", None, [])
    assert "--volume-model" in case["problem"]
    told = page.client.get(f"/api/cases/{case['id']}/volume").json()
    assert (tuple(told["size"]), told["is_read"]) == (voxels.shape, False)
    shown = page.client.get(f"/api/cases/{case['id']}/volume/voxels")
    assert shown.content[-voxels.size :] == voxels.tobytes()
    one = page.client.get(f"/api/cases/{case['id']}/volume/slices/3")
    np.testing.assert_array_equal(decoded(one.content, cv2.IMREAD_GRAYSCALE), voxels[3])
    assert page.client.get(f"/api/cases/{case['id']}/volume/slices/4").status_code == 404
    assert page.client.get(f"/api/cases/{case['id']}/volume/mask").status_code == 404
    assert page.client.get(f"/api/cases/{page.case(PICTURE_NAME)['id']}/volume").status_code == 404


def test_another_model_is_not_asked_about_the_answers_of_the_one_before(page: Page, monkeypatch: pytest.MonkeyPatch):
    case = page.case(PICTURE_NAME)
    used = page.server.model.predictor
    assert used.rule is not None
    other = Predictor.__new__(Predictor)
    vars(other).update(vars(used))
    other.rule = dataclasses.replace(used.rule, malignancy=dataclasses.replace(used.rule.malignancy, intercept=9.0))
    other.provenance = dataclasses.replace(used.provenance, title="Another model", decision_rule="0" * 64)
    new = {"version": 0, "verdict": "corrected", "outlines": [square(50, 60, 39)]}
    saved = page.client.put(f"/api/cases/{case['id']}/reading", json=new).json()["measured"]
    assert saved["answer"] is not None
    later = page.served_by(dataclasses.replace(page.server, model=ModelInUse(other)))
    assert later.client.get("/api/about").json()["model_digest"] != case["model_digest"]
    assert later.case(PICTURE_NAME)["measured"] == saved
    again = later.client.put(f"/api/cases/{case['id']}/reading", json=new | {"version": 1}).json()["measured"]
    assert again == saved | {"answer": None}
    with page.server.sessions() as session:
        kept = session.get_one(Case, case["id"]).readings
        assert [reading.model for reading in kept] == [case["model_digest"]] * 2
    monkeypatch.setattr(exports, "draw_result_sheet", lambda pictures, *, model, **rest: model.encode())
    assert later.client.get(f"/api/cases/{case['id']}/export/pdf").text == used.title


def test_a_reading_of_a_case_that_was_deleted_meanwhile_is_a_conflict(page: Page):
    page.drop({"gone.png": b"<b>"})
    case_id = page.case("gone.png")["id"]
    reading = {"version": 1, "person": "owner", "verdict": "accepted", "note": "", "model": ""}
    with page.server.sessions() as session:
        case = session.get_one(Case, case_id)
        assert case.reading is None
        assert page.client.delete(f"/api/cases/{case_id}").status_code == 204
        with pytest.raises(HTTPException, match="409"):
            readings._add(session, case, Reading(**reading))


def test_the_worklist_reads_no_outlines(page: Page):
    asked: list[str] = []
    engine = page.server.sessions.kw["bind"]
    listen = ("before_cursor_execute", lambda *told: asked.append(told[2]))
    event.listen(engine, *listen)
    page.cases()
    event.remove(engine, *listen)
    assert any("readings" in statement for statement in asked)
    assert not any("outlines" in statement for statement in asked)
