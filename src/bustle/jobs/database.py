"""The database of jobs: where it is, and the little of it that DBOS is asked for.

All that bustle keeps in it is JSON. The tables are those of DBOS, which makes them when a worker starts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bustle.core.errors import InputError

WORKFLOW = "bustle.attempt"
"""Under which DBOS knows the function that runs an attempt."""

MOST_STARTS = 25
"""So often an attempt is begun whose process ends each time, before it is given up."""


def application(name: str) -> str:
    """The owner of the list of jobs of this name: workers of other lists in the same database leave it alone."""
    return f"bustle-{name}"


def version(name: str) -> str:
    """Of the list's owner: always the same, so that what an older bustle queued is run by this one."""
    return f"{application(name)}-1"


def sqlite_url(path: Path) -> str:
    """The database that is a file."""
    return f"sqlite:///{path}"


def check_url(url: str) -> None:
    """Raises `InputError` for what is no SQLite or PostgreSQL database."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        kind = make_url(url).get_backend_name()
    except ArgumentError:
        kind = "no"
    if kind not in ("sqlite", "postgresql"):
        raise InputError(
            f"the database is given as {kind} URL", remedy="write sqlite:///FILE or postgresql://USER@HOST/NAME"
        )


@contextlib.contextmanager
def naming_the_database(url: str) -> Iterator[None]:
    """Whatever a database refuses becomes one line, without the password that its URL may hold."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        shown = make_url(url).render_as_string(hide_password=True)
        told = (str(getattr(error, "orig", None) or error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"the database of jobs {shown} cannot be used ({told})", remedy="check that it is there, and its rights"
        ) from error
