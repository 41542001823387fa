"""The first pass over an archive: what each file of the manifest holds, by its digest.

Copies under several names are answered once, and a file that is not there is known before a model is opened.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.archive.layout import ArchiveLayout, digests_of, parts_of
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
    """The rows of a manifest whose files could be had: `digests` `n 32` and an Arrow array of their `places`.

    Of millions, lists of text would take many times more.
    """

    digests: NDArray[np.uint8]
    places: Any
    unread: int

    @classmethod
    def read(cls, layout: ArchiveLayout, *, rows: int) -> Contents:
        """Those of a manifest of so many rows. Raises `InputError` where other machines have written elsewhere."""
        import pyarrow as pa

        found, read, places = 0, bytearray(), []
        for path in layout.content_files():
            table = read_table(path)
            found += table.num_rows
            table = table.filter(table["sha256"].is_valid())
            read += digests_of(table["sha256"].to_pylist()).data
            places += table["image"].cast(pa.large_string()).chunks  # millions exceed 2 GB
        if found < rows:
            raise unseen(layout.path)
        digests = np.frombuffer(read, dtype=np.uint8).reshape(-1, 32)
        return cls(digests, pa.chunked_array(places, pa.large_string()).combine_chunks(), found - len(digests))

    def divided(self, parts: int) -> Iterator[tuple[tuple[str, str], ...]]:
        """Digest and first place of every different content, part by part."""
        own = parts_of(self.digests, parts)
        order = np.argsort(own, kind="stable")
        stops = np.searchsorted(own, np.arange(parts), side="right", sorter=order)
        for start, stop in itertools.pairwise([0, *stops.tolist()]):
            rows = order[start:stop]
            first: dict[str, str] = {}
            for digest, place in zip(self.digests[rows], self.places.take(rows).to_pylist(), strict=True):
                first.setdefault(digest.tobytes().hex(), place)
            yield tuple(first.items())


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
