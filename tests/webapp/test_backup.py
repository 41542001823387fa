"""A backup of a page that is being served holds all of one moment, and is put back as it was, or refused."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from tests.webapp.conftest import PICTURE, Page

from bustle.cli.main import main
from bustle.core.errors import InputError
from bustle.webapp import backup
from bustle.webapp.backup import back_up, restore
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.database import NEWEST, connected, page_url, revision, upgrade_to
from bustle.webapp.table_rows import kept_tables, lines_of, snapshot


def rows(url: str) -> dict[str, list[str]]:
    engine = connected(url)
    try:
        with snapshot(engine) as connection:
            return {table.name: list(lines_of(connection, table)) for table in kept_tables(connection)}
    finally:
        engine.dispose()


def files(folder: Path) -> dict[str, bytes]:
    kept = [path for kind in ("uploads", "cases") for path in (folder / kind).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


@pytest.fixture(scope="module")
def read(page: Page) -> Page:
    """A page with a signed case, one that was deleted, an account, and a file that is none."""
    page.drop({"signed.png": PICTURE.read_bytes(), "deleted.png": PICTURE.read_bytes(), "none.png": b"no picture"})
    case = page.case("signed.png")["id"]
    outlines = [[[50, 60], [90, 60], [90, 100.25], [50, 100]]]
    asked = {"version": 0, "verdict": "corrected", "outlines": outlines, "note": "größer"}
    assert page.client.put(f"/api/cases/{case}/reading", json=asked).status_code == 200
    assert page.client.post(f"/api/cases/{case}/sign", json={"version": 1, "reader": "A. B."}).status_code == 200
    assert page.client.delete(f"/api/cases/{page.case('deleted.png')['id']}").status_code == 204
    page.program_of("berta", "reviewer")
    return page


@pytest.fixture(scope="module")
def kept(read: Page, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backup") / "page.zip"
    assert main(["serve", "backup", str(path), *read.place]) == 0
    return path


def test_a_backup_is_put_back_as_it_was(read: Page, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["serve", "restore", str(kept), "--data-dir", str(tmp_path / "new")]) == 0
    assert "4 cases" in capsys.readouterr().err
    before = rows(page_url(DataFolder(read.folder), read.server.settings.database))
    after = rows(page_url(DataFolder(tmp_path / "new"), None))
    deeds = [json.loads(line)["deed"] for line in before["audit_events"] + after["audit_events"][-1:]]
    assert deeds[-2:] == ["backup made", "backup restored"]
    del before["audit_events"][-1], after["audit_events"][-1]
    assert after == before
    assert files(tmp_path / "new") == files(read.folder)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_number_leads_to_the_same_cases_on_another_machine(
    read: Page, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    restore(kept, DataFolder(tmp_path / "new"), None)
    number = {"number": "4711"}
    here = read.client.post("/api/patients/find", json=number).json()
    assert here["cases"] == [read.case("image.dcm")["id"]]
    monkeypatch.setenv("BUSTLE_CACHE", str(tmp_path / "other"))
    there = read.served_by(dataclasses.replace(read.server, data=DataFolder(tmp_path / "new")))
    assert there.client.post("/api/patients/find", json=number).json() == here


def test_a_backup_is_for_its_owners_eyes_and_replaces_nothing(read: Page, kept: Path):
    assert kept.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="there already"):
        back_up(DataFolder(read.folder), read.server.settings.database, kept)


def test_what_is_deleted_while_a_backup_is_made_does_not_come_back(
    read: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    read.drop({"passing.png": PICTURE.read_bytes()})
    going, copy = read.case("passing.png")["id"], backup._copy

    def deleting(archive: zipfile.ZipFile, root: Path, place: str) -> None:
        copy(archive, root, place)
        if place == f"cases/{going}":
            assert read.client.delete(f"/api/cases/{going}").status_code == 204
            read.drop({"coming.png": PICTURE.read_bytes()})

    monkeypatch.setattr(backup, "_copy", deleting)
    made = DataFolder(read.folder)
    back_up(made, read.server.settings.database, tmp_path / "page.zip")
    restore(tmp_path / "page.zip", DataFolder(tmp_path / "new"), None)
    assert files(tmp_path / "new") == files(read.folder)
    assert not any(going in name for name in files(tmp_path / "new"))
    assert any(read.case("coming.png")["id"] in name for name in files(tmp_path / "new"))


def test_a_page_is_not_restored_over_something_else(read: Page, kept: Path, tmp_path: Path):
    with pytest.raises(InputError, match="not empty"):
        restore(kept, DataFolder(read.folder), None)
    with pytest.raises(InputError, match="no page has been served"):
        back_up(DataFolder(tmp_path), None, tmp_path / "page.zip")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("about", "told"),
    [
        (None, "no backup"),
        ({"kind": "another"}, "no backup"),
        ({"form": 2}, "newer bustle"),
        ({"tables_form": "9999"}, "newer bustle"),
        ({"rows": {}}, "damaged"),
    ],
)
def test_foreign_newer_and_damaged_backups_are_refused(
    about: dict[str, object] | None, told: str, kept: Path, tmp_path: Path
):
    other, new = tmp_path / "other.zip", tmp_path / "new"
    if about is None:
        other.write_bytes(kept.read_bytes()[:-1000])
    else:
        with zipfile.ZipFile(kept) as good, zipfile.ZipFile(other, "w") as bad:
            for entry in good.infolist():
                content = good.read(entry)
                if entry.filename == "backup.json":
                    content = json.dumps(json.loads(content) | about).encode()
                bad.writestr(entry.filename, content)
    with pytest.raises(InputError, match=told):
        restore(other, DataFolder(new), None)
    assert [path.name for path in tmp_path.iterdir()] == ["other.zip"]


def test_a_backup_of_an_older_bustle_is_brought_to_the_newest_form(kept: Path, tmp_path: Path):
    older, new = tmp_path / "older.zip", DataFolder(tmp_path / "new")
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        upgrade_to(connection, "0004")
        columns = {table.name: set(table.columns.keys()) for table in kept_tables(connection)}
    with zipfile.ZipFile(kept) as good, zipfile.ZipFile(older, "w") as made:
        for entry in good.infolist():
            content = good.read(entry)
            if entry.filename == "backup.json":
                content = json.dumps(json.loads(content) | {"tables_form": "0004"}).encode()
            elif entry.filename.startswith("tables/"):
                had = columns[Path(entry.filename).stem]
                lines = [json.loads(line) for line in content.splitlines()]
                plain = [{name: value for name, value in line.items() if name in had} for line in lines]
                content = "".join(f"{json.dumps(line)}\n" for line in plain).encode()
            made.writestr(entry.filename, content)
    restore(older, new, None)
    engine = connected(page_url(new, None))
    assert revision(engine) == NEWEST
    engine.dispose()
    assert len(rows(page_url(new, None))["readings"]) == 2
