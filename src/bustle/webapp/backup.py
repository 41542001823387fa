"""A page as one file: taken while the server works, and put back into an empty place.

The file is a ZIP archive: `backup.json`, the rows as `tables/NAME.jsonl`, and the dropped files, the cases and the
salt of pseudonyms as they lie in the data folder. What is unpacked of archives and the list of work are not in it:
the server makes them again.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, select
from sqlalchemy.orm import Session, sessionmaker

from bustle.core.errors import InputError
from bustle.core.files import atomic_path, read_error, write_error
from bustle.core.progress import progress
from bustle.core.provenance import installed_version
from bustle.data.prepared.building_folder import building_folder
from bustle.jobs.database import sqlite_url
from bustle.webapp.accounts import OWNER
from bustle.webapp.audit_trail import note
from bustle.webapp.data_folder import SALT, DataFolder
from bustle.webapp.database import NEWEST, alone_in, connected, page_url, revision, upgrade_to
from bustle.webapp.table_rows import insert_lines, kept_tables, lines_of, snapshot
from bustle.webapp.tables import Case, Drop, DroppedFile, now

ABOUT, KIND, FORM = "backup.json", "bustle serve backup", 1


@dataclass(frozen=True)
class Kept:
    """What a backup holds."""

    drops: int
    cases: int


def back_up(data: DataFolder, database: str | None, path: Path) -> Kept:
    """Write everything of a page to `path`, also while its server works.

    It is as of one moment: files are copied first, and the rows only once all that they tell of is copied; those of a
    case never change. Raises `InputError` for a page or a file that cannot be used.
    """
    if path.exists():
        raise InputError("is there already", remedy="give another name", path=path)
    if database is None and not data.database.is_file():
        raise InputError("no page has been served from here", remedy="give its --data-dir", path=data.path)
    engine = connected(page_url(data, database))
    try:
        with _written(path) as archive:
            kept = _write(archive, engine, data)
        with sessionmaker(engine).begin() as session:
            note(session, OWNER, "backup made", cases=kept.cases)
    finally:
        engine.dispose()
    return kept


def restore(path: Path, data: DataFolder, database: str | None) -> Kept:
    """Put a backup into a folder, and a database, that are empty: all of it or nothing.

    Raises `InputError` for a file that is no backup, is damaged or of a newer bustle, and for a place that is in use.
    """
    if data.path.exists() and (not data.path.is_dir() or any(data.path.iterdir())):
        raise InputError("is not empty", remedy="give a new --data-dir, or move what is there away", path=data.path)
    url = page_url(data, database)
    with _opened(path) as (archive, about):
        try:
            data.path.parent.mkdir(parents=True, exist_ok=True)
            with building_folder(data.path.parent) as own:
                built = DataFolder(own / "content")
                built.make()
                place = sqlite_url(built.database) if database is None else url
                kept = _read(archive, about, built, engine=connected(place), to=data)
            for name in (SALT, "uploads", "cases"):
                data.keep(data.path / name)
            return kept
        except OSError as error:
            raise write_error(data.path, error) from error


def _write(archive: zipfile.ZipFile, engine: Engine, data: DataFolder) -> Kept:
    found = revision(engine)
    if found is None:
        raise InputError("the database holds no page", remedy="give the --data-dir and --database of one")
    copied: set[str] = set()
    while True:
        with snapshot(engine) as connection:
            wanted = _places(connection)
            if wanted <= copied:
                counts = {}
                for table in kept_tables(connection):
                    counts[table.name] = _write_rows(archive, connection, table)
                break
        for place in progress(sorted(wanted - copied), description="copying", unit="file"):
            _copy(archive, data.path, data.have(data.path / place).relative_to(data.path).as_posix())
        copied |= wanted
    about = {"kind": KIND, "form": FORM, "tables_form": found, "rows": counts}
    about |= {"made": f"{now().isoformat()}Z", "version": installed_version() or "unreleased"}
    archive.writestr(ABOUT, json.dumps(about, indent=1))
    return Kept(drops=counts[Drop.__tablename__], cases=counts[Case.__tablename__])


def _write_rows(archive: zipfile.ZipFile, connection: Connection, table: Table) -> int:
    """How many there are."""
    count = 0
    entry = zipfile.ZipInfo(_rows_of(table), now().timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as file:
        for line in lines_of(connection, table):
            file.write(line.encode())
            count += 1
    return count


def _rows_of(table: Table) -> str:
    return f"tables/{table.name}.jsonl"


def _places(connection: Connection) -> set[str]:
    """Where in the data folder all that the rows tell of is."""
    uploads = connection.execute(select(DroppedFile.drop_id, DroppedFile.stored))
    cases = connection.scalars(select(Case.id))
    return {SALT, *(f"uploads/{drop}/{stored}" for drop, stored in uploads), *(f"cases/{case}" for case in cases)}


def _copy(archive: zipfile.ZipFile, root: Path, place: str) -> None:
    """A dropped file, or the files of a case, as far as they are there: deleted rows go before files."""
    whole = root / place
    files = [whole] if whole.is_file() else sorted(path for path in whole.rglob("*") if path.is_file())
    for file in files:
        try:
            content = file.open("rb")
        except FileNotFoundError:
            continue
        with content, archive.open(file.relative_to(root).as_posix(), "w", force_zip64=True) as packed:
            while chunk := content.read(1 << 20):
                packed.write(chunk)


@contextmanager
def _written(path: Path) -> Iterator[zipfile.ZipFile]:
    """A new archive, in place once it is whole, for its owner's eyes alone."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        yield archive
    path.chmod(0o600)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, Any]]]:
    """A backup, and what it says of itself."""
    foreign = InputError(
        "is no backup of `bustle serve`", remedy="give a file that `bustle serve backup` wrote", path=path
    )
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise read_error(path, error) from error
    except zipfile.BadZipFile:
        raise foreign from None
    with archive:
        try:
            about = json.loads(archive.read(ABOUT))
            if about["kind"] != KIND:
                raise foreign
            if about["form"] > FORM:
                raise _newer(path)
        except (KeyError, ValueError, TypeError, zipfile.BadZipFile):
            raise foreign from None
        yield archive, about


def _newer(path: Path) -> InputError:
    return InputError("was made by a newer bustle", remedy="upgrade bustle", path=path)


def _read(
    archive: zipfile.ZipFile, about: dict[str, Any], built: DataFolder, *, engine: Engine, to: DataFolder
) -> Kept:
    """Rows and files, both in place at the end of one transaction."""
    path = Path(archive.filename or "")
    try:
        with alone_in(engine):
            if revision(engine) is not None:
                raise InputError("the database holds a page already", remedy="give the --database of an empty one")
            try:
                with engine.begin() as connection:
                    kept = _read_rows(archive, about, connection, path=path)
                    _read_files(archive, _places(connection), built)
                    if engine.dialect.name != "sqlite":
                        built.path.rename(to.path)
            except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
                raise InputError(
                    f"is damaged ({type(error).__name__})", remedy="copy it again, or take another", path=path
                ) from error
            with Session(engine) as session, session.begin():
                note(session, OWNER, "backup restored", cases=kept.cases, made=about["made"])
    finally:
        engine.dispose()
    if engine.dialect.name == "sqlite":
        built.path.rename(to.path)
    return kept


def _read_rows(archive: zipfile.ZipFile, about: dict[str, Any], connection: Connection, *, path: Path) -> Kept:
    """The tables in the form that they had, with their rows, and then in the newest form."""
    try:
        upgrade_to(connection, str(about["tables_form"]))
    except InputError:
        raise _newer(path) from None
    for table in kept_tables(connection):
        with archive.open(_rows_of(table)) as file:
            count = insert_lines(connection, table, io.TextIOWrapper(file, "utf-8"))
        if count != about["rows"][table.name]:
            raise ValueError(table.name)
    upgrade_to(connection, NEWEST)
    return Kept(drops=about["rows"][Drop.__tablename__], cases=about["rows"][Case.__tablename__])


def _read_files(archive: zipfile.ZipFile, places: set[str], built: DataFolder) -> None:
    """The files that the rows tell of: what was deleted while the backup was made may be in it, and stays there."""
    for entry in progress(archive.infolist(), description="restoring", unit="file"):
        parts = entry.filename.split("/")
        if entry.filename in places or "/".join(parts[:2]) in places:
            archive.extract(entry, built.path)
