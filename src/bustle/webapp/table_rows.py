"""The rows of the page's tables as JSON lines and back, in whatever form the tables are, of either database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Connection, DateTime, Engine, MetaData, Table, func, insert, select, text

from bustle.webapp.tables import Base, SignedIn

LEFT_OUT = SignedIn.__tablename__
"""Who is signed in at the moment is in no backup: after it everybody signs in again."""

AT_ONCE = 500
"""Rows."""


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the database as it was at its first question, whatever others write meanwhile."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection
    else:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            yield connection


def kept_tables(connection: Connection) -> list[Table]:
    """The tables that there are, each after those that it refers to."""
    found = MetaData()
    names = set(Base.metadata.tables) - {LEFT_OUT}
    found.reflect(connection, only=lambda name, _: name in names, resolve_fks=False)
    for table in found.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type = JSON(none_as_null=True)
    return found.sorted_tables


def lines_of(connection: Connection, table: Table) -> Iterator[str]:
    """Its rows, each as one line of JSON."""
    order = list(table.primary_key.columns)
    rows = connection.execution_options(yield_per=AT_ONCE).execute(select(table).order_by(*order))
    for row in rows.mappings():
        plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
        yield json.dumps(plain, separators=(",", ":")) + "\n"


def insert_lines(connection: Connection, table: Table, lines: Iterable[str]) -> int:
    """Add the rows that `lines_of` made, and return how many they are.

    Raises `ValueError` or `KeyError` for what is no row of this table.
    """
    waiting: list[Mapping[str, Any]] = []
    count = 0
    for line in lines:
        waiting.append(_row(table, json.loads(line)))
        count += 1
        if len(waiting) == AT_ONCE:
            connection.execute(insert(table), waiting)
            waiting = []
    if waiting:
        connection.execute(insert(table), waiting)
    _count_on(connection, table)
    return count


def _row(table: Table, plain: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value)
        if value is not None and isinstance(table.c[name].type, DateTime)
        else value
        for name, value in plain.items()
    }


def _count_on(connection: Connection, table: Table) -> None:
    """PostgreSQL counts by itself: the next row's number follows those that were added with theirs."""
    (key,) = table.primary_key.columns
    if connection.dialect.name == "sqlite" or key.type.python_type is not int:
        return
    last = connection.scalar(select(func.max(key)))
    if last is not None:
        asked = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")
        connection.execute(asked, {"name": table.name, "last": last})
