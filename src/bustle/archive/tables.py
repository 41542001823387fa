"""Parquet files, each written at once and read as rows.

The schema of what a model has said names it: under `provenance`, as JSON, stands what `archive.json` says of it.
Tables from before that name none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.files import atomic_path
from bustle.core.model_provenance import ModelProvenance


def write_columns(
    path: Path, columns: Mapping[str, Sequence[Any]], schema: Any, *, made_by: ModelProvenance | None = None
) -> None:
    """As `write_table`; `made_by` is the model that has said what the columns hold."""
    import pyarrow as pa

    if made_by is not None:
        schema = schema.with_metadata({"provenance": json.dumps(to_mapping(made_by))})
    write_table(path, pa.table(dict(columns), schema=schema))


def write_table(path: Path, table: Any) -> None:
    """Raises `InputError` where it cannot be written."""
    from pyarrow import parquet

    with atomic_path(path) as temporary:
        parquet.write_table(table, temporary, compression="zstd")


def read_table(path: Path, columns: Sequence[str] | None = None) -> Any:
    """An Arrow table of these columns, or of all. Raises `InputError` for a damaged file."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            return file.read(columns=None if columns is None else list(columns))
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        told = str(error).splitlines()[0]
        raise InputError(f"is damaged ({told})", remedy="remove it and run with --resume", path=path) from None


def read_rows(path: Path, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """As `read_table`, row by row; none where there is no such file."""
    return read_table(path, columns).to_pylist() if path.exists() else []
