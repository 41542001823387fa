"""Opening the page's database: its tables are brought to the newest form, which keeps what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session, sessionmaker

from bustle.core.errors import InputError

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = "0005"
"""The revision that the tables of this bustle have."""

LONGEST_WAIT = 10
"""Seconds for which a writer waits for another."""


def open_database(path: Path) -> sessionmaker[Session]:
    """The SQLite database in a file, which is made where it is not there.

    Raises `InputError` for a file that is no such database, or one of a newer bustle.
    """
    # Errors do not quote what was to be written: they end in logs.
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": LONGEST_WAIT}, hide_parameters=True)
    event.listen(engine, "connect", _prepare)
    try:
        if _revision(engine) != NEWEST:
            upgrade(engine)
    except DatabaseError as error:
        engine.dispose()
        raise InputError(
            f"is no database of `bustle serve` ({error.orig})", remedy="give another --data-dir", path=path
        ) from error
    except BaseException:
        engine.dispose()
        raise
    return sessionmaker(engine)


def upgrade(engine: Engine) -> None:
    """Bring the tables to their newest form. Raises `InputError` for tables of a newer bustle."""
    from alembic import command  # takes long to load, and most starts do without it
    from alembic.util.exc import CommandError

    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, NEWEST)
        except CommandError as error:  # Alembic does not know the form that the tables have
            raise InputError(
                "the database was made by a newer bustle", remedy="upgrade bustle, or give another --data-dir"
            ) from error


def migrations() -> Config:
    """Of Alembic: where the steps are."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.scalar(text("SELECT version_num FROM alembic_version"))


def _prepare(connection: Any, record: object) -> None:
    """A reader never waits for a writer; what is written is on the disk; a case's rows go with it."""
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {setting}")
