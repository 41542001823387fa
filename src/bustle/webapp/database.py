"""Opening the page's database: its tables are brought to the newest form, which keeps what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session, sessionmaker

from bustle.core.errors import InputError

MIGRATIONS = Path(__file__).parent / "migrations"
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
        upgrade(engine)
    except CommandError as error:  # Alembic does not know the form that the tables have
        engine.dispose()
        raise InputError(
            "was made by a newer bustle", remedy="upgrade bustle, or give another --data-dir", path=path
        ) from error
    except DatabaseError as error:
        engine.dispose()
        raise InputError(
            f"is no database of `bustle serve` ({error.orig})", remedy="give another --data-dir", path=path
        ) from error
    return sessionmaker(engine)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to a revision of the migrations."""
    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def migrations() -> Config:
    """Of Alembic: where the steps are."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _prepare(connection: Any, record: object) -> None:
    """A reader never waits for a writer; what is written is on the disk; a case's rows go with it."""
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {setting}")
