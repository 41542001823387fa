"""Opening the page's database: its tables are brought to the newest form, which keeps what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.orm import Session, sessionmaker

from bustle.core.errors import InputError
from bustle.jobs.database import sqlite_url
from bustle.webapp.data_folder import DataFolder

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = "0007"
"""The revision that the tables of this bustle have."""

LONGEST_WAIT = 10
"""Seconds for which a writer waits for another, and for which PostgreSQL may take to answer."""

SERVER_LOCK = 0x62757374
"""Held in PostgreSQL by the server that works there, as the lock file is in a data folder."""


def page_url(data: DataFolder, given: str | None) -> str:
    """The database of a page: the one that is `given`, or a file in its folder. Raises `InputError` for no URL."""
    if given is None:
        return sqlite_url(data.database)
    try:
        kind = make_url(given).drivername
    except ArgumentError:
        kind = "no"
    if kind != "postgresql":
        raise InputError(
            f"the database is given as {kind} URL",
            remedy="write postgresql://USER@HOST/NAME, or leave --database out for a file in --data-dir",
        )
    return given


def jobs_url(data: DataFolder, given: str | None) -> str:
    """The database of its list of work: the same, or a file beside, where short writes keep nobody waiting."""
    return sqlite_url(data.jobs) if given is None else given


def open_database(url: str) -> sessionmaker[Session]:
    """The database of `page_url`; that of a file is made where it is not there.

    Raises `InputError` for one that cannot be used, that is another program's, or of a newer bustle.
    """
    engine = connected(url)
    try:
        if revision(engine) != NEWEST:
            upgrade(engine)
    except BaseException:
        engine.dispose()
        raise
    return sessionmaker(engine)


def connected(url: str) -> Engine:
    """The database as it is. Raises `InputError` for one that cannot be used."""
    place = make_url(url)
    # Errors do not quote what was to be written: they end in logs.
    if place.get_backend_name() == "sqlite":
        engine = create_engine(place, connect_args={"timeout": LONGEST_WAIT}, hide_parameters=True)
        event.listen(engine, "connect", _prepare)
    else:
        engine = create_engine(
            place.set(drivername="postgresql+psycopg"),
            connect_args={"connect_timeout": LONGEST_WAIT},
            hide_parameters=True,
            pool_pre_ping=True,
        )
    try:
        engine.connect().close()
    except DatabaseError as error:
        engine.dispose()
        raise _unusable(place, error) from error
    return engine


@contextmanager
def alone_in(engine: Engine) -> Iterator[None]:
    """Within the block no other server works in this PostgreSQL database; a file is guarded by its folder's lock.

    Raises `InputError` where one does.
    """
    if engine.dialect.name == "sqlite":
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()  # closed at the end, and with it the lock: in the pool it would live on
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": SERVER_LOCK}):
            raise InputError(
                "the database is in use by another `bustle serve`", remedy="end it, or give another --database"
            )
        yield


def _unusable(place: URL, error: DatabaseError) -> InputError:
    told = str(error.orig).splitlines()[0]
    if place.database and place.get_backend_name() == "sqlite":
        return InputError(
            f"is no database of `bustle serve` ({told})", remedy="give another --data-dir", path=Path(place.database)
        )
    shown = place.render_as_string(hide_password=True)
    return InputError(
        f"the database {shown} cannot be used ({told})", remedy="check that it is there, and its rights"
    )


def upgrade(engine: Engine) -> None:
    """Bring the tables to their newest form. Raises `InputError` for tables of a newer bustle."""
    with engine.begin() as connection:
        upgrade_to(connection, NEWEST)


def upgrade_to(connection: Connection, wanted: str) -> None:
    """Bring the tables to the form `wanted`. Raises `InputError` where this bustle does not know it, or theirs."""
    from alembic import command  # takes long to load, and most starts do without it
    from alembic.util.exc import CommandError

    config = migrations()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, wanted)
    except CommandError as error:
        raise InputError(
            "the database was made by a newer bustle",
            remedy="upgrade bustle, or give another --data-dir or --database",
        ) from error


def migrations() -> Config:
    """Of Alembic: where the steps are."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def revision(engine: Engine) -> str | None:
    """The form that the tables have; None where there are none."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.scalar(text("SELECT version_num FROM alembic_version"))


def _prepare(connection: Any, record: object) -> None:
    """A reader never waits for a writer; what is written is on the disk; a case's rows go with it."""
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {setting}")
