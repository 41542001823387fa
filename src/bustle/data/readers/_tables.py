"""Tables that accompany images: CSV, Excel and Parquet, as lists of rows."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError
from bustle.core.files import check_regular

Row = dict[str, Any]


def read_table(path: Path, *, required: Sequence[str] = ()) -> list[Row]:
    """Rows of a CSV or, by its ending, Parquet file."""
    read = read_parquet if path.suffix.lower() in (".parquet", ".pq") else read_csv
    return read(path, required=required)


def read_csv(path: Path, *, required: Sequence[str] = ()) -> list[Row]:
    """Rows of a CSV file as text by column; tolerates a byte-order mark and semicolons between the columns.

    Cells are trimmed, blank lines left out. Raises `InputError` that names the file and the first missing column.
    """
    try:
        check_regular(path)
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such file", remedy="restore it from the data set's source", path=path) from None
    except UnicodeDecodeError:
        raise InputError("is not text in UTF-8", remedy="save it as CSV in UTF-8", path=path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", remedy="check the file", path=path) from None
    header = text.partition("\n")[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise InputError(f"is not readable CSV ({error})", remedy="save it as CSV again", path=path) from None
    return _as_rows(([cell.strip() for cell in row] for row in rows), required=required, path=path)


def read_excel(path: Path, *, required: Sequence[str] = ()) -> list[Row]:
    """Rows of the first sheet of an .xlsx file by column; blank cells are ''."""
    import openpyxl

    try:
        check_regular(path)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
        book.close()
    except Exception as error:  # a damaged archive can make the parser raise almost anything
        raise InputError(
            "is not a readable Excel file", remedy="restore it from the data set's source", path=path
        ) from error
    cells = ([_plain(cell) for cell in row] for row in rows)
    return _as_rows(cells, required=required, path=path)


def read_parquet(path: Path, *, required: Sequence[str] = ()) -> list[Row]:
    """Rows of a Parquet file by column; absent values are ''."""
    import pyarrow
    import pyarrow.parquet

    try:
        check_regular(path)
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError("is not a readable Parquet file", remedy="write it again", path=path) from error
    header: list[Any] = list(table.column_names)
    columns = [[_plain(value) for value in column] for column in table.to_pydict().values()]
    return _as_rows([header, *map(list, zip(*columns, strict=True))], required=required, path=path)


def _plain(value: Any) -> Any:
    """A JSON value; dates and other objects become text, absent numbers ''."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, str):
        return value.strip()
    return value if isinstance(value, bool | int | float) else str(value)


def _as_rows(lines: Iterable[list[Any]], *, required: Sequence[str], path: Path) -> list[Row]:
    lines = iter(lines)
    header = [str(name).strip() for name in next(lines, [])]
    twice = [name for name, times in Counter(header).items() if name and times > 1]
    if twice:
        raise InputError(f"has the column '{twice[0]}' twice", remedy="rename or remove one of them", path=path)
    for column in required:
        if column not in header:
            found = ", ".join(name for name in header if name) or "none"
            raise InputError(
                f"has no column '{column}'", remedy=f"add the column; the columns found are: {found}", path=path
            )
    rows = []
    for line in lines:
        if any(cell != "" for cell in line):
            cells = [*line, *[""] * (len(header) - len(line))]
            rows.append({name: cell for name, cell in zip(header, cells, strict=False) if name})
    return rows
