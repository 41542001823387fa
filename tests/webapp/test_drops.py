"""Drops: read in the background, followed, refused when they come too late, deleted, and never read twice."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import pytest
from tests.webapp.conftest import PICTURE, Page

from bustle.core.errors import InputError
from bustle.io.raster import as_png, read_image
from bustle.jobs.stage import JobInHand, PostponedError
from bustle.reading.picking import Picked
from bustle.webapp import drop_routes
from bustle.webapp import read_drop as reading_of_drops
from bustle.webapp.read_drop import DropReader
from bustle.webapp.tables import Drop
from bustle.webapp.unfinished_drops import LONGEST_BREAK, remove_unsent, submit_begun

PICTURE_NAME = "DOE^JANE.png"


def test_one_bad_file_says_why_and_the_others_are_read(page: Page):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        marked = cv2.putText(read_image(PICTURE)[0].copy(), "RT AXILLA 12.3", (60, 400), 0, 1.2, 255, 2)
        packed.writestr("scans/one.png", as_png(marked[None]))
        packed.writestr("scans/page.png", b"<script>alert(1)</script>")
    told = page.drop({"broken.zip": b"PK\x03\x04 no archive", "scans.zip": archive.getvalue(), "page.html": b"<b>"})
    assert told["state"] == "done"
    assert "ZIP" in told["files"][0]["problem"]
    found = {case["name"]: case for case in page.cases() if case["drop"] == told["id"]}
    assert found["scans.zip: one"]["status"] == "new"
    assert "marks" in [flag["kind"] for flag in page.case("scans.zip: one")["flags"]]
    assert "not a readable" in found["scans.zip: page"]["problem"]
    assert "not a readable" in found["page.html"]["problem"]
    unread = found["page.html"]["id"]
    assert page.client.get(f"/api/cases/{unread}/picture").status_code == 404
    assert (
        page.client.put(f"/api/cases/{unread}/reading", json={"version": 0, "verdict": "accepted"}).status_code == 409
    )
    for case in found.values():
        assert page.client.delete(f"/api/cases/{case['id']}").status_code == 204
    assert not [case for case in page.cases() if case["drop"] == told["id"]]
    assert not any((page.folder / "cases" / case["id"]).exists() for case in found.values())
    assert not any((page.folder / "uploads" / told["id"]).iterdir())


def test_an_empty_file_says_so_and_the_others_are_read(page: Page):
    told = page.drop({"empty.png": b"", "empty.zip": b"", "page.zip": archive_of("kept.png")})
    assert told["state"] == "done"
    assert "ZIP" in told["files"][1]["problem"]
    assert {case["name"] for case in page.cases() if case["drop"] == told["id"]} == {"empty.png", "page.zip"}
    assert "empty" in page.case("empty.png")["problem"]
    left = sorted(path.name for path in (page.folder / "uploads" / told["id"]).iterdir() if path.is_file())
    assert len(left) == 2, left  # what holds nothing is gone


def test_the_reading_of_a_drop_is_followed_by_its_events(page: Page):
    drop = page.send({"followed.png": PICTURE.read_bytes()})
    page.client.post(f"/api/drops/{drop}/read")
    with page.client.stream("GET", f"/api/drops/{drop}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = [json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line.startswith("data: ")]
    assert told[-1] == page.client.get(f"/api/drops/{drop}").json()
    assert (told[-1]["state"], told[-1]["done"]) == ("done", 1)
    assert all(one != other for one, other in itertools.pairwise(told))
    assert page.client.get("/api/drops/none/events").status_code == 404


def test_a_file_that_comes_too_late_is_not_kept(page: Page, monkeypatch: pytest.MonkeyPatch):
    drop = page.send({})
    store = drop_routes.store

    async def slow(*asked: Any, **more: Any) -> Any:
        done = await store(*asked, **more)
        with page.server.sessions.begin() as session:
            session.get_one(Drop, drop).begun = True
        return done

    monkeypatch.setattr(drop_routes, "store", slow)
    assert page.client.post(f"/api/drops/{drop}/files", content=b"<b>").status_code == 409
    assert not any((page.folder / "uploads" / drop).iterdir())


def test_a_later_server_forgets_what_was_not_sent_and_reads_what_was(page: Page):
    half, whole = page.send({"half.png": b"<b>"}), page.send({"whole.png": b"<b>"})
    with page.server.sessions.begin() as session:
        session.get_one(Drop, whole).begun = True
    remove_unsent(page.server.sessions, page.server.data)
    assert page.client.get(f"/api/drops/{half}").status_code == 200
    with page.server.sessions.begin() as session:
        session.get_one(Drop, half).made -= LONGEST_BREAK + timedelta(seconds=1)
    remove_unsent(page.server.sessions, page.server.data)
    assert page.client.get(f"/api/drops/{half}").status_code == 404
    assert not (page.folder / "uploads" / half).exists()
    assert page.server.jobs.state(whole) is None
    submit_begun(page.server.sessions, page.server.jobs)
    assert page.wait(whole)["state"] == "done"
    assert page.cases("whole.png")


def archive_of(*names: str) -> bytes:
    """A ZIP archive of files that are no images."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for name in names:
            packed.writestr(name, b"<b>")
    return archive.getvalue()


def test_a_case_is_not_deleted_while_its_drop_is_read(page: Page, monkeypatch: pytest.MonkeyPatch):
    drop = page.drop({"late.png": b"<b>"})["id"]
    job = page.server.jobs.state(drop)
    assert job is not None
    case = page.case("late.png")["id"]
    with monkeypatch.context() as patched:
        patched.setattr(page.server.jobs, "state", lambda drop: dataclasses.replace(job, state="running"))
        assert page.client.delete(f"/api/cases/{case}").status_code == 409
    assert page.cases("late.png")
    assert page.client.delete(f"/api/cases/{case}").status_code == 204
    assert not any((page.folder / "uploads" / drop).iterdir())


def test_what_was_deleted_does_not_come_back_and_the_rest_of_its_archive_is_read(
    page: Page, monkeypatch: pytest.MonkeyPatch
):
    drop = page.send({"half.zip": archive_of("one.png", "two.png")})
    reader, job = DropReader(page.server.sessions, page.server.data, page.server.model.predictor), drop_job(drop)
    predict = reading_of_drops.predict_inputs

    def full_disk(opened: Any, picked: Picked, *rest: Any, **more: Any) -> Any:
        if picked.images[0].name == "two":
            raise InputError("no space left on the disk", remedy="free some space", path=Path("DOE^JANE"))
        return predict(opened, picked, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr(reading_of_drops, "predict_inputs", full_disk)
        with pytest.raises(PostponedError, match=r"^no space left on the disk; free some space$"):
            reader.read(job)
    assert page.client.delete(f"/api/cases/{page.case('half.zip: one')['id']}").status_code == 204
    reader.read(job)
    assert [case["name"] for case in page.cases("half.zip")] == ["half.zip: two"]
    assert page.client.delete(f"/api/cases/{page.case('half.zip: two')['id']}").status_code == 204
    assert not any((page.folder / "uploads" / drop).iterdir())


def drop_job(drop: str) -> JobInHand:
    return JobInHand(id=drop, submitted={"drop": drop})
