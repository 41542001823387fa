"""What a manifest's rows cost the command that hands an archive out: its memory, as if it grew in step with them.

The command reads and divides a manifest with places of 64 characters. In the place of those that answer, an engine
writes made digests, each different, and made answers, as other processes and machines do. Every number of rows has
a process of its own with one thread, which holds the reference model, too. The peer is the smallest number: 1 means
that memory grew in step with the rows, more that it grew slower, since much of it is there with any number.
"""

from __future__ import annotations

import csv
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._process import measured, peak_bytes
from benchmarks._row import Ratio, Row
from bustle.archive.answers import AnsweredPart, AnswersOfPart
from bustle.archive.contents import ContentsOfPart, contents_schema
from bustle.archive.layout import ArchiveLayout
from bustle.archive.listed import ListedPart
from bustle.archive.predict_archive import predict_archive
from bustle.archive.rows import answers_schema
from bustle.archive.tables import write_columns
from bustle.experiments.engines.engine import LocalEngine, Shown
from bustle.inference.predictor import Predictor
from bustle.inference.shipped import default_model


@dataclass(frozen=True)
class Size:
    """`own_process`: what the memory is measured in, with one thread."""

    rows: tuple[int, ...]
    own_process: bool


FULL = Size(rows=(100_000, 1_000_000), own_process=True)
TINY = Size(rows=(100, 200), own_process=False)


def run(size: Size) -> Iterator[Row]:
    smallest = least = 0
    for rows in size.rows:
        with tempfile.TemporaryDirectory() as folder:
            seconds, held = measured(hand_out, own_process=size.own_process, rows=rows, folder=folder)
        smallest, least = smallest or rows, least or held
        yield Row(
            goal=f"the command of an archive: {rows} rows",
            peer=f"{smallest} rows",
            ratio=Ratio.over([least * rows / smallest / held]),
            bytes={"peak": held},
            each={"processor_seconds": seconds / rows},
        )


def hand_out(rows: int, folder: str) -> tuple[float, int]:
    """Processor seconds, those of the made answers among them, and the most memory of the whole command."""
    manifest = _write_manifest(Path(folder), rows)
    start = time.process_time()
    predict_archive(lambda: Predictor.open(default_model()), manifest, Path(folder) / "out", engine=Imitation())
    return time.process_time() - start, peak_bytes()


class Imitation(LocalEngine):
    """Writes what those that answer would write."""

    def run(
        self,
        work: Callable[[Any], Any],
        tasks: Iterable[Any],
        *,
        shown: Shown,
        each: Callable[[Any], None] | None = None,
    ) -> None:
        imitated = {ContentsOfPart: _digest, AnswersOfPart: _answer}[type(work)]
        super().run(lambda task: imitated(work, task), tasks, shown=shown, each=each)


def _digest(work: ContentsOfPart, part: ListedPart) -> None:
    digests = [hashlib.sha256(str(place).encode()).hexdigest() for place in part.places]
    columns = {"image": part.places, "sha256": digests, "problem": [None] * len(digests)}
    write_columns(ArchiveLayout(work.out).contents(part.number), columns, contents_schema())


def _answer(work: AnswersOfPart, part: AnsweredPart) -> None:
    schema = answers_schema(work.predictor.data.classes)
    columns = dict.fromkeys(schema.names, [None] * len(part.contents))
    told = {"sha256": [sha256 for sha256, _ in part.contents], "kind": ["image"] * len(part.contents)}
    write_columns(ArchiveLayout(work.out).answers(part.number), {**columns, **told}, schema)


def _write_manifest(folder: Path, rows: int) -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("image",))
        for row in range(rows):
            table.writerow((f"archive/patient-{row // 20:010d}/study-{row // 5:010d}/image-{row:010d}.png",))
    return path
