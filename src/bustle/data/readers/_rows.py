"""Which row of a table is about which image."""

from __future__ import annotations

from collections.abc import Iterable

from bustle.core.errors import InputError
from bustle.io.names import NameIndex
from bustle.io.tables import Row, Table, cell_text


def rows_of_stems(table: Table, *, column: str, stems: Iterable[str]) -> tuple[dict[str, Row], list[str]]:
    """Rows by the image that `column` names, by its stem or as a file, and the names that fit no image.

    Raises `InputError` for two rows of one image, for a name that fits several, and where no row fits any image.
    """
    names = list(stems)
    index = NameIndex(names)
    rows: dict[str, Row] = {}
    surplus: list[str] = []
    for row, line in zip(table.rows, table.lines, strict=True):
        text = cell_text(row[column])
        found = index.find(text)
        if len(found) > 1:
            raise InputError(
                f"{column} '{text}' in line {line} fits several images", remedy="write full names", path=table.path
            )
        if not found:
            surplus.append(text or f"line {line}")
        elif found[0] in rows:
            raise InputError(f"{column} '{text}' occurs twice", remedy="remove one of the rows", path=table.path)
        else:
            rows[found[0]] = row
    if surplus and not rows:
        raise no_row_fits(table, column=column, text=surplus[0], stem=names[0])
    return rows, surplus


def no_row_fits(table: Table, *, column: str, text: str, stem: str) -> InputError:
    """A table of which nothing fits would leave every image without what it says."""
    return InputError(
        f"{table.doubt}none of its {len(table.rows)} rows fits an image ('{text}' in {column})",
        remedy=f"write the images' names into {column}, such as '{stem}'",
        path=table.path,
    )
