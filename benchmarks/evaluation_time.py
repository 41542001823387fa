"""The whole evaluation of 647 cases (metrics, 2,000 resamples, report) in less than 30 s on two cores.

Reads images, masks and predictions of BUSI's size from files. There is no peer: the ratio is the limit of 30 s
over the measured wall time.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks._row import Ratio, Row
from benchmarks.surface_distances import lesion_pair
from bustle.data.sources import open_sources
from bustle.experiments.evaluate import evaluate_foreign_predictions
from bustle.io.raster import write_png

LIMIT = 30.0


@dataclass(frozen=True)
class Size:
    """`distinct` of the `cases` have files of their own, of `shape` pixels."""

    cases: int
    distinct: int
    shape: tuple[int, int]
    repeats: int


FULL = Size(cases=647, distinct=24, shape=(500, 600), repeats=3)
TINY = Size(cases=6, distinct=2, shape=(64, 72), repeats=1)


def run(size: Size) -> list[Row]:
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder, size)
        for _ in range(size.repeats):
            start = time.perf_counter()
            cases = open_sources([f"folder:{folder / 'data'}"]).cases
            evaluate_foreign_predictions(folder / "predictions", cases=cases, out=folder / "out", track="strict")
            ratios.append(LIMIT / (time.perf_counter() - start))
    return [
        Row(
            goal=f"whole evaluation of {size.cases} cases, limit {LIMIT:.0f} s",
            peer="the limit",
            ratio=Ratio.over(ratios),
        )
    ]


def write_data(folder: Path, size: Size) -> None:
    """A `folder` data set and foreign predictions; a few distinct files are copied under every case's name."""
    rng = np.random.default_rng(0)
    labels, probabilities = ["case_id,label"], ["case_id,benign,malignant"]
    for part in ("data/images", "data/masks", "predictions"):
        (folder / part).mkdir(parents=True)
    for index in range(size.cases):
        names = [folder / part / f"case{index}.png" for part in ("data/images", "data/masks", "predictions")]
        if index < size.distinct:
            truth, prediction = lesion_pair(size.shape, seed=index)
            image = np.clip(rng.rayleigh(40, size.shape), 0, 255).astype(np.uint8)
            for name, picture in zip(names, (image, truth, prediction), strict=True):
                write_png(name, picture)
        else:
            for name in names:
                shutil.copy(name.with_name(f"case{index % size.distinct}.png"), name)
        label = "malignant" if index % 3 == 0 else "benign"
        malignant = float(np.clip(0.3 * (index % 3 == 0) + 0.7 * rng.random(), 0, 1))
        labels.append(f"case{index},{label}")
        probabilities.append(f"case{index},{1 - malignant:.6f},{malignant:.6f}")
    (folder / "data" / "labels.csv").write_text("\n".join(labels))
    (folder / "predictions" / "probabilities.csv").write_text("\n".join(probabilities))
