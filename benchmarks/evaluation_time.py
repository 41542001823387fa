"""Goal 12: the whole evaluation of 647 cases (metrics, 2,000 resamples, report) in less than 30 s on two cores.

Reads images, masks and predictions of BUSI's size from files. There is no peer: the ratio is the limit of 30 s
over the measured wall time.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.surface_distances import lesion_pair
from bustle.data.sources import open_sources
from bustle.experiments.evaluate import evaluate_foreign_predictions
from bustle.io.raster import write_png

CASES, DISTINCT, SHAPE, LIMIT, REPEATS = 647, 24, (500, 600), 30.0, 3


def run() -> list[dict[str, Any]]:
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder)
        for _ in range(REPEATS):
            start = time.perf_counter()
            cases = open_sources([f"folder:{folder / 'data'}"]).cases
            evaluate_foreign_predictions(folder / "predictions", cases=cases, out=folder / "out", track="strict")
            ratios.append(LIMIT / (time.perf_counter() - start))
    return [
        {
            "goal": "12: whole evaluation of 647 cases, limit 30 s",
            "peer": "the limit",
            "ratio": {"min": min(ratios), "median": float(np.median(ratios)), "max": max(ratios)},
            "roofline_fraction": None,
        }
    ]


def write_data(folder: Path) -> None:
    """A `folder` data set and foreign predictions; a few distinct files are copied under every case's name."""
    rng = np.random.default_rng(0)
    labels, probabilities = ["case_id,label"], ["case_id,benign,malignant"]
    for part in ("data/images", "data/masks", "predictions"):
        (folder / part).mkdir(parents=True)
    for index in range(CASES):
        names = [folder / part / f"case{index}.png" for part in ("data/images", "data/masks", "predictions")]
        if index < DISTINCT:
            truth, prediction = lesion_pair(SHAPE, seed=index)
            image = np.clip(rng.rayleigh(40, SHAPE), 0, 255).astype(np.uint8)
            for name, picture in zip(names, (image, truth, prediction), strict=True):
                write_png(name, picture)
        else:
            for name in names:
                shutil.copy(name.with_name(f"case{index % DISTINCT}.png"), name)
        label = "malignant" if index % 3 == 0 else "benign"
        malignant = float(np.clip(0.3 * (index % 3 == 0) + 0.7 * rng.random(), 0, 1))
        labels.append(f"case{index},{label}")
        probabilities.append(f"case{index},{1 - malignant:.6f},{malignant:.6f}")
    (folder / "data" / "labels.csv").write_text("\n".join(labels))
    (folder / "predictions" / "probabilities.csv").write_text("\n".join(probabilities))
