"""An archive on one and on two processes of Ray, and in one process without it: what a second machine can bring.

Phantom images as PNG files, answered by the reference model into tables. Every process has one thread, as Ray's have,
and the files are answered once before, so that no model is loaded for the first time. Timed from the manifest to the
summary, with the processes' start. `bytes` is the most memory that a process held which answers.
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks._process import measured, peak_bytes
from benchmarks._row import Ratio, Row
from bustle.archive.predict_archive import predict_archive
from bustle.data.sources import open_sources
from bustle.experiments.engines.engine import Engine, LocalEngine
from bustle.experiments.engines.ray_engine import RayEngine
from bustle.inference.predictor import Predictor
from bustle.inference.shipped import default_model
from bustle.io.raster import write_png


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
    alone, one, two = ([seconds for seconds, _ in told[start::3]] for start in range(3))
    peak = max(held for _, held in told[0::3])
    rate = f"{size.images} images, {size.images / median(alone):.1f} a second in one process"
    return [
        Row(
            goal=f"an archive of {rate}, on one process of Ray",
            peer="without Ray",
            ratio=_ratio(alone, one),
            bytes={"process": peak},
        ),
        Row(goal="two processes of Ray", peer="one", ratio=_ratio(one, two)),
    ]


def answer_all(manifest: str, workers: int) -> tuple[float, int]:
    """Seconds and peak bytes, by this process where there are no workers."""
    with tempfile.TemporaryDirectory() as out, ExitStack() as stack:
        engine: Engine = LocalEngine() if not workers else stack.enter_context(RayEngine(workers=workers))
        start = time.perf_counter()
        predict_archive(lambda: Predictor.open(default_model()), Path(manifest), Path(out), engine=engine)
        return time.perf_counter() - start, peak_bytes()


def _ratio(peer: Sequence[float], own: Sequence[float]) -> Ratio:
    return Ratio.over([theirs / ours for theirs, ours in zip(peer, own, strict=True)])


def _write_images(folder: Path, count: int) -> Path:
    names = []
    for number, case in enumerate(open_sources([f"phantom:?cases={count}&seed=0"]).cases):
        names.append(f"{number}.png")
        write_png(folder / names[-1], case.load().image)
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image",), *((name,) for name in names)])
    return manifest
