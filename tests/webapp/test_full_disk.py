"""A full disk is said to be one, and nothing that was kept before is lost."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest
from sqlalchemy import event, text
from tests.webapp.conftest import PICTURE, Page


def no_space(*asked: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_that_finds_no_space_is_refused_and_the_same_drop_takes_it_later(
    page: Page, monkeypatch: pytest.MonkeyPatch
):
    drop = page.send({"first.png": b"<b>"})
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", no_space)
        refused = page.client.post(f"/api/drops/{drop}/files", content=b"<b>")
    assert refused.status_code == 507
    assert "no space" in refused.json()["detail"]
    assert len(list((page.folder / "uploads" / drop).iterdir())) == 1
    assert page.client.post(f"/api/drops/{drop}/files", content=b"<b>").status_code == 201
    assert len(page.client.get(f"/api/drops/{drop}").json()["files"]) == 2


@pytest.mark.sqlite
def test_a_reading_that_finds_no_space_is_refused_and_the_one_before_stays(page: Page):
    page.drop({"full.png": PICTURE.read_bytes()})
    case = page.case("full.png")["id"]
    first = {"version": 0, "verdict": "accepted", "note": "kept"}
    assert page.client.put(f"/api/cases/{case}/reading", json=first).status_code == 200
    engine = page.server.sessions.kw["bind"]

    def limit(connection: Any) -> None:  # SQLite itself then finds no space
        pages = connection.execute(text("PRAGMA page_count")).scalar()
        connection.execute(text(f"PRAGMA max_page_count={pages}"))

    event.listen(engine, "begin", limit)
    try:
        long = {"version": 1, "verdict": "rejected", "note": "x" * 4000}
        statuses = [
            page.client.put(f"/api/cases/{case}/reading", json=long | {"version": n}).status_code for n in (1, 2, 3)
        ]
    finally:
        event.remove(engine, "begin", limit)
        engine.dispose()  # with the limit of its connections
    assert 507 in statuses
    kept = page.case("full.png")
    assert kept["version"] == 1 + statuses.count(200)
