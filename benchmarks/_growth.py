"""What ten and fifty times as many cases cost a command: the time as n log n would have it, and the most memory.

Small generated images (64 x 80 pixels, each different) in the `folder` layout, and what a poor model might say of
them; every command in a process of its own with one thread. Time is the processor's, which other work on the machine
changes little. The peer is the same command on the smallest size, as if time grew like n log n: 1 means that it does,
less that it grows faster. `bytes` is the most memory that the command held.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._process import measured, peak_bytes
from benchmarks._row import Ratio, Row
from bustle.io.raster import as_png, read_mask

SHAPE = (64, 80)
CLASSES = ("benign", "malignant")
MISSED = 0.05
"""The share of the lesions that the predictions do not outline."""


@dataclass(frozen=True)
class Size:
    cases: tuple[int, ...]
    own_process: bool


FULL = Size(cases=(1_000, 10_000, 50_000), own_process=True)
TINY = Size(cases=(24, 48), own_process=False)


def rows(names: Iterable[str], spend: Callable[[str, str], tuple[float, int]], size: Size) -> Iterator[Row]:
    """Of the commands `names`, in their order on each number of cases; `spend(name=..., folder=...)` runs one."""
    first: dict[str, tuple[int, float]] = {}
    for count in size.cases:
        with tempfile.TemporaryDirectory() as folder:
            write_cases(Path(folder), count)
            for name in names:
                seconds, held = measured(spend, own_process=size.own_process, name=name, folder=folder)
                smallest, least = first.setdefault(name, (count, seconds))
                expected = least * (count * math.log(count)) / (smallest * math.log(smallest))
                yield Row(
                    goal=f"{name}: {count} cases",
                    peer=f"n log n from {smallest} cases",
                    ratio=Ratio.over([expected / seconds]),
                    bytes={"peak": held},
                    each={"processor_seconds": seconds / count},
                )


def spent(command: Callable[[Path], None], folder: str) -> tuple[float, int]:
    """Processor seconds and peak bytes of one command."""
    start = _processor_seconds()
    with contextlib.redirect_stdout(io.StringIO()):
        command(Path(folder))
    return _processor_seconds() - start, peak_bytes()


def _processor_seconds() -> float:
    """Those of processes that have been waited for, too."""
    return sum(os.times()[:4])


def spec(folder: Path) -> str:
    return f"folder:{folder / 'data'}"


def predictions(folder: Path) -> Path:
    return folder / "predictions"


def write_cases(folder: Path, count: int) -> None:
    """Noise over an ellipse, whose mask stands beside it; four images a patient. What is predicted is imperfect."""
    random = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / "data" / kind).mkdir(parents=True)
    with (folder / "data" / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("case_id", "label", "patient_id"))
        for number in range(count):
            mask = _ellipse(random)
            image = np.where(mask, 60, 140) + random.normal(0, 25, SHAPE)
            _write(folder / "data" / "images" / f"{number}.png", np.clip(image, 0, 255).astype(np.uint8))
            _write(folder / "data" / "masks" / f"{number}.png", mask)
            table.writerow((number, CLASSES[number // 4 % 2], number // 4))
    _write_predictions(folder, count)


def _write_predictions(folder: Path, count: int) -> None:
    """Each outline lies a few pixels off, or is missing; the true class has more than one half for most."""
    random = np.random.default_rng(1)
    predictions(folder).mkdir()
    with (predictions(folder) / "probabilities.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("case_id", *CLASSES))
        for number in range(count):
            mask = read_mask(folder / "data" / "masks" / f"{number}.png")
            mask = np.roll(mask, random.integers(-5, 6, 2), axis=(0, 1)) & (random.random() >= MISSED)
            _write(predictions(folder) / f"{number}.png", mask)
            malignant = round(1 / (1 + math.exp(-random.normal(number // 4 % 2 - 0.5))), 6)
            table.writerow((number, 1 - malignant, malignant))


def _write(path: Path, image: NDArray[np.uint8] | NDArray[np.bool_]) -> None:
    path.write_bytes(as_png(image))  # `write_png` waits for the disk with each


def _ellipse(random: np.random.Generator) -> NDArray[np.bool_]:
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    centre, radii = random.uniform((24, 30), (40, 50)), random.uniform(6, 18, 2)
    return ((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 <= 1
