"""A large file comes in parts, whatever ends the connection; what is no image does no harm, whatever it is."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import urllib.request
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.requests import ClientDisconnect
from tests.webapp.conftest import PICTURE, Page

from bustle.client import PageClient, RefusedError, page_client
from bustle.core.file_lock import FileLock
from bustle.webapp.resumable import PartialFile
from bustle.webapp.server import PageSettings
from bustle.webapp.tables import DroppedFile

CONTENT = PICTURE.read_bytes()


def begun(page: Page, size: int = len(CONTENT)) -> tuple[str, str]:
    drop = page.client.post("/api/drops").json()["id"]
    made = page.client.post(f"/api/drops/{drop}/uploads", json={"name": "100%25.png", "size": size})
    assert made.status_code == 201, made.text
    return drop, f"/api/drops/{drop}/uploads/{made.json()['id']}"


def send(page: Page, upload: str, offset: int, content: Any) -> Any:
    return page.client.patch(upload, content=content, headers={"Upload-Offset": str(offset)})


def test_a_file_whose_connection_is_lost_goes_on_where_it_was(page: Page):
    drop, upload = begun(page)

    async def lost() -> AsyncIterator[bytes]:
        yield CONTENT[:1000]
        yield CONTENT[1000:5000]
        raise ClientDisconnect

    parts = PartialFile.find(page.server.data.parts(drop), upload.rpartition("/")[2])
    with pytest.raises(ClientDisconnect):
        asyncio.run(parts.append(lost(), offset=0))
    sent = page.client.get(upload).json()["sent"]
    assert sent == 5000
    wrong = send(page, upload, sent + 1, CONTENT[sent + 1 :])
    assert (wrong.status_code, wrong.headers["upload-offset"]) == (409, str(sent))
    half = send(page, upload, sent, CONTENT[sent:9000]).json()
    assert (half["sent"], half["file"]) == (9000, None)
    done = send(page, upload, 9000, CONTENT[9000:]).json()
    assert done["file"]["name"] == "100%25.png"
    assert send(page, upload, len(CONTENT), b"").json() == page.client.get(upload).json() == done
    with page.server.sessions() as session:
        (row,) = session.scalars(select(DroppedFile).where(DroppedFile.drop_id == drop))
    assert row.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert page.client.post(f"/api/drops/{drop}/read").status_code == 202
    assert page.wait(drop)["state"] == "done"
    assert page.case("100%25.png")["kind"] == "image"


def test_a_server_that_ends_after_the_last_byte_loses_nothing(page: Page, monkeypatch: pytest.MonkeyPatch):
    drop, upload = begun(page)
    with monkeypatch.context() as patched:
        patched.delattr("bustle.webapp.upload_routes.add_row")
        with pytest.raises(NameError):
            send(page, upload, 0, CONTENT)
    assert page.client.get(upload).json()["sent"] == len(CONTENT)
    assert send(page, upload, len(CONTENT), b"").json()["file"]["size"] == len(CONTENT)
    assert len(page.client.get(f"/api/drops/{drop}").json()["files"]) == 1


def test_a_program_goes_on_until_the_drop_has_its_file(
    page: Page, program: PageClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The first connection is lost and still holds the file; then the server ends after the last byte."""
    monkeypatch.setattr(page_client, "PAUSE", 0)
    asked, opened = [], urllib.request.urlopen

    def lost(request: urllib.request.Request, timeout: float) -> Any:
        asked.append(request.get_method())
        if request.get_method() != "PATCH" or asked.count("PATCH") > 3:
            return opened(request, timeout=timeout)
        if asked.count("PATCH") < 3:
            *_, drop_id, _, upload_id = request.full_url.split("/")
            holding = FileLock(page.server.data.parts(drop_id) / f"{upload_id}.lock")
            assert holding.take() == "taken"
            try:
                return opened(request, timeout=timeout)
            finally:
                holding.release(remove=True)
        with monkeypatch.context() as patched, contextlib.suppress(NameError):
            patched.delattr("bustle.webapp.upload_routes.add_row")
            opened(request, timeout=timeout)
        raise ConnectionError

    monkeypatch.setattr(urllib.request, "urlopen", lost)
    (tmp_path / "sent.png").write_bytes(CONTENT)
    drop = program.drop([tmp_path / "sent.png"])
    assert [file.name for file in drop.files] == ["sent.png"]
    assert asked == ["POST", "POST", *(3 * ["PATCH", "GET"]), "PATCH", "POST"]
    page.wait(drop.id)


def test_a_program_gives_up_where_it_is_refused_again_and_again(
    page: Page, program: PageClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(page_client, "PAUSE", 0)
    drop, upload = begun(page)
    page.client.post(f"/api/drops/{drop}/files", content=CONTENT, headers={"X-Filename": "first.png"})
    page.client.post(f"/api/drops/{drop}/read")
    with pytest.raises(RefusedError):
        program._send_parts(upload.removeprefix("/api"), io.BytesIO(CONTENT))
    page.wait(drop)


def test_more_than_was_announced_and_too_much_are_refused(page: Page):
    drop, upload = begun(page, size=3)
    assert send(page, upload, 0, b"1234").status_code == 413
    assert page.client.get(upload).json()["sent"] == 0
    too_large = {"name": "a", "size": PageSettings.most_bytes + 1}
    assert page.client.post(f"/api/drops/{drop}/uploads", json=too_large).status_code == 413
    assert page.client.get(f"/api/drops/{drop}/uploads/..%2Fx").status_code == 404
    assert page.client.get(f"/api/drops/{drop}/uploads/0").status_code == 404
    assert page.client.post("/api/drops/0/uploads", json={"name": "a", "size": 1}).status_code == 404


def test_what_is_not_whole_goes_when_its_drop_is_read(page: Page):
    drop, upload = begun(page)
    send(page, upload, 0, CONTENT[:10])
    page.client.post(f"/api/drops/{drop}/files", content=CONTENT, headers={"X-Filename": "other.png"})
    page.client.post(f"/api/drops/{drop}/read")
    assert not (page.folder / "uploads" / drop / "parts").exists()
    assert send(page, upload, 10, CONTENT[10:]).status_code == 409
    page.wait(drop)


def packed(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, inside in files.items():
            archive.writestr(name, inside)
    return content.getvalue()


def bomb() -> bytes:
    """A ZIP of 42 kB of zeros packed thousandfold, that says of itself 4 GB: central directory and header agree."""
    content = bytearray(packed(**{"scan.png": bytes(40_000_000)}))
    for mark, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = content.find(mark) + place
        content[at : at + 4] = (4_000_000_000).to_bytes(4, "little")
    return bytes(content)


HARMFUL = {
    "page.html": b"<html><script>alert(1)</script></html>",
    "picture.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "html.png": b"<html><script>alert(1)</script></html>",
    "bomb.zip": bomb(),
    "nested.zip": packed(**{"inner.zip": packed(**{"scan.png": bytes(1000)})}),
    "script.zip": packed(**{"page.html": b"<script>alert(1)</script>"}),
    "climbing.zip": packed(**{"../../climbed.png": CONTENT}),
}


def test_pages_drawings_and_bombs_are_refused_and_nothing_of_them_is_shown(page: Page):
    told = page.drop({"good.png": CONTENT, **HARMFUL})
    assert told["state"] == "done"
    assert page.case("good.png")["decision"] is not None
    problems = {file["name"]: file["problem"] for file in told["files"]}
    for name in HARMFUL:
        unread = [case["problem"] for case in page.cases(name) if case["kind"] == "unread"]
        assert problems[name] or unread, name
    assert not list(page.folder.parent.rglob("climbed.png"))
    kept = sum(path.stat().st_size for path in (page.folder / "uploads" / told["id"]).rglob("*") if path.is_file())
    assert kept < 2_000_000
    for case in page.cases():
        for part in ("picture", "thumbnail"):
            answer = page.client.get(f"/api/cases/{case['id']}/{part}")
            assert answer.status_code == 404 or answer.headers["content-type"] == "image/png"
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_no_route_gives_a_dropped_file_back_as_a_page(page: Page):
    """An HTML file within personal data comes as an attachment of a kind that browsers do not show."""
    page.drop({"evil.zip": packed(**{"scan.png": CONTENT, "page.html": HARMFUL["page.html"]})})
    case = page.cases("evil.zip")[0]["id"]
    answer = page.client.get(f"/api/cases/{case}/data")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith("attachment")
