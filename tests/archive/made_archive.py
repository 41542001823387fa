"""Small archives: made images and a manifest of them, and what their answers are."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyarrow import parquet
from tests.inference.hand_made_package import scene

from bustle.archive.answers import AnsweredPart
from bustle.archive.predict_archive import ArchiveSummary, predict_archive
from bustle.experiments.engines.engine import LocalEngine, Shown
from bustle.inference.predictor import Predictor
from bustle.io.raster import write_png


class CountingEngine(LocalEngine):
    """How many contents were sent to the model."""

    def __init__(self) -> None:
        self.contents = 0

    def run(self, work: Any, tasks: Iterable[Any], *, shown: Shown) -> None:
        def counted() -> Iterable[Any]:
            for task in tasks:
                if isinstance(task, AnsweredPart):
                    self.contents += len(task.contents)
                yield task

        super().run(work, counted(), shown=shown)


def write_images(folder: Path, sizes: Iterable[int]) -> list[str]:
    names = []
    for size in sizes:
        names.append(f"{size}.png")
        write_png(folder / names[-1], scene(size, size + 9))
    return names


def write_manifest(folder: Path, places: Iterable[str]) -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("note", "image"), *(("", place) for place in places)])
    return path


def answer(predictor: Predictor, manifest: Path, *, resume: bool = False) -> tuple[ArchiveSummary, int]:
    engine = CountingEngine()
    out = manifest.parent / "out"
    return predict_archive(lambda: predictor, manifest, out, engine=engine, resume=resume), engine.contents


def rows_of(folder: Path, kind: str = "answers", part: str = "part-*") -> list[dict[str, Any]]:
    files = sorted((folder / "out" / kind).glob(f"{part}.parquet"))
    return [row for file in files for row in parquet.ParquetFile(file).read().to_pylist()]
