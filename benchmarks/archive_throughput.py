"""An archive on one and on two processes of Ray, and in one process without it: what a second machine can bring.

Phantom images as PNG files, answered by the reference model into tables. Every process has one thread, as Ray's have,
and the files are answered once before, so that no model is loaded for the first time. Timed from the manifest to the
summary, with the processes' start. `bytes` is the most memory that a process held which answers (`worker`), and that
of all other processes of Ray and of the command together (`rest`). `each` is what an image took of an answering
process, with its start, and how many bytes the tables of one image fill.
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks._descendants import Taken, descendants
from benchmarks._process import measured, peak_bytes
from benchmarks._row import Ratio, Row
from bustle.archive.predict_archive import predict_archive
from bustle.data.sources import open_sources
from bustle.experiments.engines.engine import Engine, LocalEngine
from bustle.experiments.engines.ray_engine import RayEngine
from bustle.inference.predictor import Predictor
from bustle.inference.shipped import default_model
from bustle.io.raster import write_png

ANSWERING = "MapWorker"
"""What Ray calls the processes that answer."""


@dataclass(frozen=True)
class Size:
    """`own_process`: what the memory is measured in, with one thread."""

    images: int
    repeats: int
    own_process: bool


FULL = Size(images=128, repeats=3, own_process=True)
TINY = Size(images=2, repeats=1, own_process=False)


def run(size: Size) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        manifest = _write_images(Path(folder), size.images)
        told = [
            measured(answer_all, own_process=size.own_process, manifest=str(manifest), workers=workers)
            for _ in range(size.repeats)
            for workers in (0, 1, 2)
        ]
    alone, one, two = ([Run(**each) for each in told[start::3]] for start in range(3))
    return [
        Row(
            goal=f"an archive of {size.images} images, on one process of Ray",
            peer="without Ray",
            ratio=_ratio(alone, one),
            bytes={"worker": max(each.worker_bytes for each in one), "rest": max(each.rest_bytes for each in one)},
            each=_each(one, size.images),
        ),
        Row(
            goal=f"an archive of {size.images} images, on two processes of Ray",
            peer="one",
            ratio=_ratio(one, two),
            bytes={"worker": max(each.worker_bytes for each in two), "rest": max(each.rest_bytes for each in two)},
            each=_each(two, size.images),
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One pass over the archive: wall time, processor time of all that answer, memory of the largest of them."""

    seconds: float
    processor_seconds: float
    worker_bytes: int
    rest_bytes: int
    written: int


def answer_all(manifest: str, workers: int) -> dict[str, float]:
    """A `Run` as a mapping; this process answers where there are no workers."""
    with tempfile.TemporaryDirectory() as out, ExitStack() as stack:
        engine: Engine = (
            LocalEngine() if not workers else stack.enter_context(RayEngine(out=Path(out), workers=workers))
        )
        seen = stack.enter_context(descendants())
        start, spent = time.perf_counter(), time.process_time()
        predict_archive(lambda: Predictor.open(default_model()), Path(manifest), Path(out), engine=engine)
        own = Taken("", time.process_time() - spent, peak_bytes())
        answering = [each for each in seen.values() if ANSWERING in each.title] if workers else [own]
        rest = [each for each in (*seen.values(), own) if each not in answering]
        run = Run(
            seconds=time.perf_counter() - start,
            processor_seconds=sum(each.seconds for each in answering),
            worker_bytes=max(each.bytes for each in answering),
            rest_bytes=sum(each.bytes for each in rest),
            written=sum(file.stat().st_size for file in Path(out).rglob("*.parquet")),
        )
    return asdict(run)


def _each(runs: Sequence[Run], images: int) -> dict[str, float]:
    return {
        "processor_seconds": median(each.processor_seconds for each in runs) / images,
        "written_bytes": runs[0].written / images,
    }


def _ratio(peer: Sequence[Run], own: Sequence[Run]) -> Ratio:
    return Ratio.over([theirs.seconds / ours.seconds for theirs, ours in zip(peer, own, strict=True)])


def _write_images(folder: Path, count: int) -> Path:
    names = []
    for number, case in enumerate(open_sources([f"phantom:?cases={count}&seed=0"]).cases):
        names.append(f"{number}.png")
        write_png(folder / names[-1], case.load().image)
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image",), *((name,) for name in names)])
    return manifest
