"""Rows of the same names as a table by columns, in which every name stands once: the compact form of JSON.

`[{"a": 1, "b": {"c": 2}, "d": null}, {"a": 3, "b": {"c": null}, "d": null}]` becomes
`{"a": [1, 3], "b": {"c": [2, null]}, "d": null}`: a column without any value is null.
`rows_of_columns(columns_of_rows(rows))` has every value of `rows`; a name that only some rows have is None in the
others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def columns_of_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`rows` hold plain values, each at least one that is not None."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _column([row.get(name) for row in rows]) for name in names}


def _column(values: list[Any]) -> Any:
    if all(isinstance(value, Mapping) for value in values):
        return columns_of_rows(values)
    return None if all(value is None for value in values) else values


def rows_of_columns(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Raises `ValueError` for columns of different lengths, and for what is no table."""
    lengths = _lengths(columns)
    if len(lengths) > 1:
        raise ValueError(f"columns of {' and '.join(map(str, sorted(lengths)))} rows")
    return _rows(columns, max(lengths, default=0))


def _lengths(columns: Mapping[str, Any]) -> set[int]:
    found: set[int] = set()
    for name, column in columns.items():
        if isinstance(column, Mapping):
            found |= _lengths(column)
        elif isinstance(column, list):
            found.add(len(column))
        elif column is not None:
            raise ValueError(f"{name} is no column")
    return found


def _rows(columns: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    filled = {name: _filled(column, count) for name, column in columns.items()}
    return [{name: column[place] for name, column in filled.items()} for place in range(count)]


def _filled(column: Any, count: int) -> list[Any]:
    if isinstance(column, Mapping):
        return _rows(column, count)
    return [None] * count if column is None else column
