"""Whether something went wrong because the disk is full: nobody's fault, and it may go well later."""

from __future__ import annotations

import errno
import sqlite3

from sqlalchemy.exc import DBAPIError

DISK_FULL = "53100"
"""PostgreSQL's code for it."""


def is_full_disk(error: BaseException) -> bool:
    """Whether `error`, or what it comes from, is a file or a database that finds no space."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if isinstance(cause, DBAPIError):
            own = cause.orig
            if getattr(own, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                return True
            if getattr(own, "sqlstate", None) == DISK_FULL:
                return True
        cause = cause.__cause__
    return False
