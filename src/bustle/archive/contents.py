"""The first pass over an archive: what each file of the manifest holds, by its digest.

Copies under several names are answered once, and a file that is not there is known before a model is opened.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bustle.archive.layout import ArchiveLayout, part_of
from bustle.archive.listed import ListedPart
from bustle.archive.places import check_packages, local_copy, unexpected
from bustle.archive.tables import read_rows, read_table, write_columns
from bustle.core.errors import InputError
from bustle.core.files import remove_file, sha256_of_file
from bustle.experiments.engines.engine import unseen


@dataclass(frozen=True)
class ContentsOfPart:
    """Digests the files of one part of the manifest, whose folder is `base`; runs on any machine that sees both."""

    out: Path
    base: Path

    def __call__(self, part: ListedPart) -> None:
        check_packages(part.places)
        path = ArchiveLayout(self.out).contents(part.number)
        known = _known(path, part.places)
        rows = [known.get(place) or self._row(place) for place in part.places]
        schema = contents_schema()
        write_columns(path, {name: [row[name] for row in rows] for name in schema.names}, schema)

    def _row(self, place: str | None) -> dict[str, Any]:
        sha256 = problem = None
        try:
            if place is None:
                raise InputError("the row names no file", remedy="fill it in, or remove the row")
            with local_copy(place, base=self.base) as path:
                sha256 = sha256_of_file(path)
        except InputError as error:
            problem = str(error)
        except Exception as error:  # of one file, or of who fetches it, which must not stop the others
            problem = unexpected(error)
        return {"image": place, "sha256": sha256, "problem": problem}


def contents_schema() -> Any:
    """The columns of `contents/`; a file that cannot be had has a `problem` instead of a digest."""
    import pyarrow as pa

    return pa.schema([("image", pa.string()), ("sha256", pa.string()), ("problem", pa.string())])


@dataclass(frozen=True)
class Contents:
    """The rows of a manifest whose files could be had, as a table: lists of millions would take many times more."""

    table: Any
    unread: int

    @classmethod
    def read(cls, layout: ArchiveLayout, *, rows: int) -> Contents:
        """Those of a manifest of so many rows. Raises `InputError` where other machines have written elsewhere."""
        import pyarrow as pa

        all_rows = pa.concat_tables([contents_schema().empty_table(), *map(read_table, layout.content_files())])
        if all_rows.num_rows < rows:
            raise unseen(layout.path)
        read = all_rows.filter(all_rows["sha256"].is_valid()).select(["sha256", "image"])
        large = pa.schema([(name, pa.large_string()) for name in read.column_names])  # millions exceed 2 GB
        return cls(read.cast(large), all_rows.num_rows - read.num_rows)

    def divided(self, parts: int) -> Iterator[tuple[tuple[str, str], ...]]:
        """Digest and first place of every different content, part by part."""
        import numpy as np

        digests = self.table["sha256"].to_numpy()
        own = np.fromiter((part_of(digest, parts) for digest in digests), dtype=np.int64, count=len(digests))
        order = np.argsort(own, kind="stable")
        stops = np.searchsorted(own[order], np.arange(parts), side="right")
        ordered = self.table.take(order)  # once: each `take` goes through the whole table
        for start, stop in itertools.pairwise([0, *stops.tolist()]):
            places: dict[str, str] = {}
            for row in ordered.slice(start, stop - start).to_pylist():
                places.setdefault(row["sha256"], row["image"])
            yield tuple(places.items())


def is_digested(path: Path, part: ListedPart) -> bool:
    """Whether these files, and no others, were digested before."""
    rows = _stored(path)
    return [row["image"] for row in rows] == list(part.places) and all(row["problem"] is None for row in rows)


def remove_contents_from(layout: ArchiveLayout, *, part: int) -> None:
    """Remove the parts from this number on, of a manifest that was longer."""
    for path in layout.content_files():
        if path >= layout.contents(part):
            remove_file(path)


def _known(path: Path, places: Iterable[str | None]) -> dict[str | None, dict[str, Any]]:
    """The rows of an earlier call that stand, by place: those of files that could not be read are tried again."""
    wanted = set(places)
    return {row["image"]: row for row in _stored(path) if row["image"] in wanted and row["problem"] is None}


def _stored(path: Path) -> list[dict[str, Any]]:
    """None of a damaged file, which is written again."""
    try:
        return read_rows(path)
    except InputError:
        return []
