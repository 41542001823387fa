"""Phantom generator: 200 cases of 256 x 256 pixels, written to files, against the aim of 25 s on two cores.

No peer makes B-mode images with masks and classes at this size in comparable time (acoustic simulators need minutes
per frame), so the ratio is the aimed time divided by the measured one.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks._row import Ratio, Row
from bustle.data.phantom.cases import phantom_case
from bustle.data.phantom.dataset import write_phantom_set

AIM_SECONDS = 25.0
WORKERS = 2


@dataclass(frozen=True)
class Size:
    """`edge` of the square images."""

    cases: int
    edge: int
    rounds: int


FULL = Size(cases=200, edge=256, rounds=3)
TINY = Size(cases=2, edge=64, rounds=1)


def run(size: Size) -> list[Row]:
    phantom_case(0, seed=0, size=size.edge)  # imports and look-up tables
    seconds = []
    for number in range(size.rounds):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            write_phantom_set(Path(folder) / "set", cases=size.cases, seed=number, size=size.edge, workers=WORKERS)
            seconds.append(time.perf_counter() - start)
    ratios = [AIM_SECONDS / taken for taken in seconds]
    return [
        Row(
            goal=f"phantom set of {size.cases} cases of {size.edge} x {size.edge} written by {WORKERS} workers",
            peer=f"aim of {AIM_SECONDS:.0f} s (measured {statistics.median(seconds):.1f} s)",
            ratio=Ratio.over(ratios),
        )
    ]
