"""Tables that accompany images: CSV, Excel and Parquet, in the forms in which people really save them.

The kind of file is told by its content. Text may be separated by commas, semicolons, tabs or bars, in UTF-8, UTF-16
or Latin-1; where commas do not separate columns they are decimal. Column names are found in any case and with blanks
or dashes for underscores, cells that say NA or nan are blank, and all text is in one Unicode normal form.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError
from bustle.core.files import check_regular
from bustle.io.names import normal_form

Row = dict[str, Any]

TABLE_SUFFIXES = (".csv", ".tsv", ".xlsx", ".xls", ".parquet", ".pq")

_MISSING = frozenset(
    {"na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "nil", "missing", "unknown", "-", "--", "?"}
)
"""What people and programs write into a cell that has no value, in lower case."""

_DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n")
_DECIMAL_COMMAS = re.compile(r"[+-]?\d+(,\d+)?(\s+[+-]?\d+(,\d+)?)*")


@dataclass(frozen=True)
class Table:
    """Rows as values by column, with their line numbers (the header is line 1).

    `missing` counts by column the cells whose word for "no value" was made blank. `doubt` begins a message about a
    table whose encoding was guessed: what does not fit may be a wrong letter.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    lines: tuple[int, ...]
    missing: Mapping[str, int] = field(default_factory=dict)
    doubt: str = ""

    @contextlib.contextmanager
    def telling_line_of(self, row: Row) -> Iterator[None]:
        """Name the line of one of the `rows` in every `InputError` of the block that is about this table."""
        try:
            yield
        except InputError as error:
            if error.path != self.path:
                raise
            line = next(line for own, line in zip(self.rows, self.lines, strict=True) if own is row)
            raise InputError(f"line {line}: {error.problem}", remedy=error.remedy, path=self.path) from None


@dataclass(frozen=True)
class _Names:
    """The columns that a reader knows: `required` must be there, of them and of `optional` missing values count."""

    required: Sequence[str]
    optional: Sequence[str] | None
    blank_missing: bool

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.required, *(self.optional or ()))

    def counts(self, column: str) -> bool:
        """Whether the column's missing values are told."""
        return self.optional is None or column in self.all


def read_table(
    path: Path, *, required: Sequence[str] = (), optional: Sequence[str] | None = (), blank_missing: bool = True
) -> Table:
    """Read a table; text cells are trimmed, absent ones '', blank lines left out.

    `required` and `optional` are the spellings that the caller knows of columns; others keep the file's own. With
    `optional=None` the missing values of every column are counted.
    `blank_missing=False` is for tables in which every value is needed: words such as NA are left for the message.
    Raises `InputError` that names the file and the first missing column, a column that stands twice, a line that has
    more values than columns, or why the file is no table.
    """
    names = _Names(required, optional, blank_missing)
    content = _content(path)
    suffix = path.suffix.lower()
    if content.startswith(b"PAR1") or suffix in (".parquet", ".pq"):
        return _read_parquet(path, names)
    if content.startswith(b"PK\x03\x04") or suffix in (".xlsx", ".xlsm"):
        return _read_excel(path, content, names)
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputError("is an old Excel file (.xls)", remedy="save it as .xlsx or as CSV", path=path)
    return _read_text(path, content, names)


def table_named(folder: Path, stem: str) -> Path | None:
    """The table `stem` with any of the endings of tables; None without. Two of them raise `InputError`."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [file for file in files if file.stem == stem and file.suffix.lower() in TABLE_SUFFIXES]
    if len(found) > 1:
        raise InputError(f"is there again as {found[1].name}", remedy="keep one of them", path=found[0])
    return found[0] if found else None


def cell_text(value: Any) -> str:
    """A cell as text; spreadsheets and Parquet turn whole numbers with gaps into floats, and 7.0 is 7."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else normal_form(str(value))


def _content(path: Path) -> bytes:
    try:
        check_regular(path)
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError("no such file", remedy="restore it from the data set's source", path=path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", remedy="check the file", path=path) from None


def _read_text(path: Path, content: bytes, names: _Names) -> Table:
    text, sure = _decoded(content, path=path)
    separator = _SEPARATOR_LINE.match(text)  # Excel's own remark
    delimiter = separator[1] if separator else _delimiter(text.partition("\n")[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    lines: list[tuple[int, list[Any]]] = []
    try:
        if separator:
            next(reader)
        for cells in reader:
            trimmed = [normal_form(cell) for cell in cells]
            lines.append((reader.line_num, trimmed if delimiter == "," else [_with_points(c) for c in trimmed]))
    except csv.Error as error:
        raise InputError(f"is not readable CSV ({error})", remedy="save it as CSV again", path=path) from None
    return _table(lines, names, path=path, doubt="" if sure else "is not text in UTF-8, and ")


def _decoded(content: bytes, *, path: Path) -> tuple[str, bool]:
    """The text, and whether its encoding is known rather than guessed."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in content[:64]:
        encodings = ["utf-16-le" if content[1:2] == b"\0" else "utf-16-be"]
    else:
        encodings = ["utf-8-sig", "cp1252", "latin-1"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, encoding not in ("cp1252", "latin-1")
        break
    raise InputError("is not text", remedy="save it as CSV in UTF-8", path=path)


def _delimiter(header: str) -> str:
    outside = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=outside.count)


def _with_points(cell: str) -> str:
    return cell.replace(",", ".") if "," in cell and _DECIMAL_COMMAS.fullmatch(cell) else cell


def _read_excel(path: Path, content: bytes, names: _Names) -> Table:
    """The first sheet of an .xlsx file."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        rows = [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
        book.close()
    except Exception as error:  # a damaged archive can make the parser raise almost anything
        raise InputError(
            "is not a readable Excel file", remedy="restore it from the data set's source", path=path
        ) from error
    return _table([(line, [_plain(cell) for cell in row]) for line, row in enumerate(rows, 1)], names, path=path)


def _read_parquet(path: Path, names: _Names) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError("is not a readable Parquet file", remedy="write it again", path=path) from error
    header: list[Any] = list(table.column_names)
    columns = [[_plain(value) for value in column] for column in table.to_pydict().values()]
    rows = [header, *map(list, zip(*columns, strict=True))]
    return _table(list(enumerate(rows, 1)), names, path=path)


def _plain(value: Any) -> Any:
    """A JSON value; dates and other objects become text, absent numbers ''."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, str):
        return normal_form(value)
    return value if isinstance(value, bool | int | float) else str(value)


def _table(lines: Iterable[tuple[int, list[Any]]], names: _Names, *, path: Path, doubt: str = "") -> Table:
    lines = iter(lines)
    header = _header([str(name).strip() for name in next(lines, (1, []))[1]], names, path=path)
    rows, numbers = [], []
    missing: Counter[str] = Counter()
    for number, line in lines:
        if all(cell == "" for cell in line):
            continue
        if any(cell != "" for cell in line[len(header) :]):
            raise InputError(f"line {number} has more values than columns", remedy="mend the line", path=path)
        cells = [*line, *[""] * (len(header) - len(line))]
        row = {name: cell for name, cell in zip(header, cells, strict=False) if name}
        if names.blank_missing:
            for name, cell in row.items():
                if isinstance(cell, str) and cell.lower() in _MISSING:
                    row[name] = ""
                    missing[name] += 1
        rows.append(row)
        numbers.append(number)
    counted = {name: missing[name] for name in header if name and names.counts(name) and missing[name]}
    return Table(path, tuple(name for name in header if name), tuple(rows), tuple(numbers), counted, doubt)


def _header(header: list[str], names: _Names, *, path: Path) -> list[str]:
    """The file's header in the caller's spelling of the columns that it knows."""
    known = {_folded(name): name for name in names.all}
    header = [name if name in names.all else known.get(_folded(name), name) for name in header]
    twice = [name for name, times in Counter(header).items() if name and times > 1]
    if twice:
        raise InputError(f"has the column '{twice[0]}' twice", remedy="rename or remove one of them", path=path)
    for column in names.required:
        if column not in header:
            found = ", ".join(name for name in header if name) or "none"
            raise InputError(
                f"has no column '{column}'", remedy=f"add the column; the columns found are: {found}", path=path
            )
    return header


def _folded(name: str) -> str:
    return re.sub(r"[\s_.-]+", "", name).casefold()
