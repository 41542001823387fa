"""Phantom generator: 200 cases of 256 x 256 pixels, written to files, against the aim of 25 s on two cores.

No peer makes B-mode images with masks and classes at this size in comparable time (acoustic simulators need minutes
per frame), so the ratio is the aimed time divided by the measured one.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bustle.data.phantom.cases import phantom_case
from bustle.data.phantom.dataset import write_phantom_set

GOAL = "phantom set of 200 cases of 256 x 256 written by 2 workers"
AIM_SECONDS = 25.0
CASES, SIZE, WORKERS, ROUNDS = 200, 256, 2, 3


def run() -> list[dict[str, Any]]:
    phantom_case(0, seed=0, size=SIZE)  # imports and look-up tables
    seconds = []
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            write_phantom_set(Path(folder) / "set", cases=CASES, seed=number, size=SIZE, workers=WORKERS)
            seconds.append(time.perf_counter() - start)
    ratios = [AIM_SECONDS / taken for taken in seconds]
    return [
        {
            "goal": GOAL,
            "peer": f"aim of {AIM_SECONDS:.0f} s (measured {statistics.median(seconds):.1f} s)",
            "ratio": {"min": min(ratios), "median": statistics.median(ratios), "max": max(ratios)},
            "roofline_fraction": None,
        }
    ]
