"""With a storage the data folder may be lost: what it held is fetched, and what is deleted is gone from both."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from tests.webapp.conftest import PICTURE, Page

from bustle.core.errors import InputError
from bustle.io.dicom.pseudonyms import machine_salt
from bustle.jobs.stage import JobInHand, PostponedError
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.pseudonym_salt import keep_salt, page_salt
from bustle.webapp.read_drop import DropReader
from bustle.webapp.tables import Drop


@pytest.fixture
def stored(page: Page) -> Page:
    """The page with a storage in memory."""
    MemoryFileSystem.store.clear()
    data = DataFolder.at(page.folder, "memory://bucket/page")
    return page.served_by(dataclasses.replace(page.server, data=data))


def read(page: Page, name: str) -> str:
    """Drop a picture and read it with this storage; the case's id."""
    drop = page.send({name: PICTURE.read_bytes()})
    with page.server.sessions.begin() as session:
        session.get_one(Drop, drop).begun = True
    reader = DropReader(page.server.sessions, page.server.data, page.server.model.predictor)
    reader.read(JobInHand(id=drop, submitted={"drop": drop}))
    return page.case(name)["id"]


def test_a_lost_data_folder_is_fetched_and_what_is_deleted_is_gone_from_both(stored: Page):
    case = read(stored, "stored.png")
    before = stored.client.get(f"/api/cases/{case}").json()
    for kind in ("cases", "uploads"):
        shutil.rmtree(stored.folder / kind)
    assert stored.client.get(f"/api/cases/{case}").json() == before
    assert stored.client.get(f"/api/cases/{case}/thumbnail").status_code == 200
    assert stored.client.get(f"/api/cases/{case}/data").status_code == 200
    kept = [name for name in MemoryFileSystem.store if case in name]
    assert len(kept) > 3
    assert stored.client.delete(f"/api/cases/{case}").status_code == 204
    assert [name for name in MemoryFileSystem.store if case in name or before["drop"] in name] == []
    assert not (stored.folder / "cases" / case).exists()


def test_a_lost_data_folder_has_the_same_pseudonyms_again(stored: Page, tmp_path: Path):
    salt = page_salt(stored.server.data)
    stored.server.data.keep(stored.server.data.salt)
    lost = DataFolder.at(tmp_path / "data", "memory://bucket/page")
    keep_salt(lost)
    assert page_salt(lost) == salt
    keep_salt(DataFolder.at(tmp_path / "first", "memory://bucket/other"))
    assert page_salt(DataFolder.at(tmp_path / "second", "memory://bucket/other")) == machine_salt()


def test_a_storage_that_is_away_postpones_the_reading_and_loses_nothing(
    stored: Page, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patched:
        patched.setattr(MemoryFileSystem, "put_file", lambda *asked: (_ for _ in ()).throw(ConnectionError()))
        drop = stored.client.post("/api/drops").json()["id"]
        sent = stored.client.post(f"/api/drops/{drop}/files", content=PICTURE.read_bytes())
        assert sent.status_code == 500
        assert "storage" in sent.json()["detail"]
        assert stored.client.get(f"/api/drops/{drop}").json()["files"] == []
    drop = stored.send({"later.png": PICTURE.read_bytes()})
    reader = DropReader(stored.server.sessions, stored.server.data, stored.server.model.predictor)
    job = JobInHand(id=drop, submitted={"drop": drop})
    with monkeypatch.context() as patched:
        patched.setattr(MemoryFileSystem, "put_file", lambda *asked: (_ for _ in ()).throw(ConnectionError()))
        with pytest.raises(PostponedError, match="storage"):
            reader.read(job)
    assert stored.cases("later.png") == []
    reader.read(job)
    assert len(stored.cases("later.png")) == 1


def test_what_is_no_storage_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="write s3://"):
        DataFolder.at(tmp_path, "nowhere://bucket")
