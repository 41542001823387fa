"""A manifest of files, read in parts: it may have millions of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError
from bustle.core.files import check_regular, read_error

COLUMN = "image"
"""As in the manifests of data sets; an archive asks for nothing more."""
ROWS_PER_PART = 1000


@dataclass(frozen=True)
class ListedPart:
    """Rows of a manifest that follow each other: the place of each file, None where the cell is empty."""

    number: int
    places: tuple[str | None, ...]


def listed_parts(manifest: Path) -> Iterator[ListedPart]:
    """The rows of a CSV file (with a line of names) or Parquet file, as many a part as `ROWS_PER_PART`.

    Raises `InputError` for another kind of file, a damaged one, and one that lacks the column.
    """
    waiting: list[str | None] = []
    number = 0
    for places in _batches(manifest):
        waiting += places
        while len(waiting) >= ROWS_PER_PART:
            yield ListedPart(number, tuple(waiting[:ROWS_PER_PART]))
            del waiting[:ROWS_PER_PART]
            number += 1
    if waiting:
        yield ListedPart(number, tuple(waiting))


def _batches(manifest: Path) -> Iterator[list[str | None]]:
    import pyarrow as pa

    try:
        check_regular(manifest)
        for batch in _reader(manifest):
            places = batch.column(COLUMN).cast(pa.string()).to_pylist()
            yield [None if place is None else place.strip() or None for place in places]
    except KeyError:
        raise _without_column(manifest) from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        if COLUMN in str(error) and "not" in str(error):
            raise _without_column(manifest) from None
        told = str(error).splitlines()[0]
        raise InputError(f"is no table ({told})", remedy="give a CSV or Parquet file", path=manifest) from None
    except OSError as error:
        raise read_error(manifest, error) from None


def _reader(manifest: Path) -> Iterator[Any]:
    """Record batches with the column of places alone."""
    if manifest.suffix.lower() in (".parquet", ".pq"):
        from pyarrow.parquet import ParquetFile

        with ParquetFile(manifest) as file:
            if COLUMN not in file.schema_arrow.names:
                raise KeyError(COLUMN)
            yield from file.iter_batches(columns=[COLUMN])
        return
    import pyarrow as pa
    from pyarrow.csv import ConvertOptions, open_csv

    options = ConvertOptions(include_columns=[COLUMN], column_types={COLUMN: pa.string()})
    with open_csv(manifest, convert_options=options) as reader:
        yield from reader


def _without_column(manifest: Path) -> InputError:
    return InputError(
        f"has no column '{COLUMN}'",
        remedy="name the column with the files' places so in its first line",
        path=manifest,
    )
