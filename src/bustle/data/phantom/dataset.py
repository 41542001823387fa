"""Writes a phantom data set in the `folder` layout: images/, masks/, gland/ and labels.csv."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bustle.core.files import write_text
from bustle.core.progress import progress
from bustle.data.phantom.cases import phantom_case
from bustle.data.phantom.claimed_set import LABELS, PARTS, claimed_set
from bustle.data.phantom.plan import GENERATOR_VERSION, CasePlan, check_count, check_size, plan_case
from bustle.io.raster import write_png

Item = TypeVar("Item")


def plan_cases(count: int, *, seed: int) -> list[CasePlan]:
    """The first `count` cases of the set `seed`. Raises `InputError` as `check_count` does."""
    check_count(count, of="cases")
    return [plan_case(index, seed=seed) for index in range(count)]


def write_phantom_set(
    out: Path, *, cases: int, seed: int, size: int = 256, workers: int | None = None
) -> list[CasePlan]:
    """Write `cases` cases below `out` and return their plans; an interrupted run continues where it stopped.

    A mask is 0/255 for one lesion and numbers the lesions 1..n for several; normals have an empty one. Threads
    suffice for `workers` (default: the processors at hand), since nearly all time is spent outside the interpreter.
    Raises `InputError` when `out` holds anything but this very set.
    """
    plans = plan_cases(cases, seed=seed)
    settings = {"generator_version": GENERATOR_VERSION, "seed": seed, "size": check_size(size), "cases": cases}
    with claimed_set(Path(out), settings) as written:
        missing = [plan for plan in plans if not all(path.is_file() for path in _files(out, plan))]
        if missing:
            written.reopen()
        write_each(missing, lambda plan: _write_case(out, plan, size=size), workers=workers)
        write_text(out / LABELS, _labels_table(plans, size=size))
    return plans


def write_each(items: Sequence[Item], write: Callable[[Item], None], *, workers: int | None) -> None:
    """Call `write` for every item, in threads, with a progress bar."""
    with ThreadPoolExecutor(workers or _processors()) as pool:
        written = pool.map(write, items)
        try:
            for _ in progress(written, description="phantom", total=len(items)):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _files(out: Path, plan: CasePlan) -> list[Path]:
    return [out / part / f"{plan.stem}.png" for part in PARTS]


def _write_case(out: Path, plan: CasePlan, *, size: int) -> None:
    sample = phantom_case(plan.index, seed=plan.seed, size=size)
    assert sample.lesion_mask is not None
    assert sample.gland_mask is not None
    image, mask, gland = _files(out, plan)
    write_png(image, sample.image)
    write_png(mask, _mask_values(sample.lesion_mask))
    write_png(gland, sample.gland_mask)


def _mask_values(instances: NDArray[np.uint8]) -> NDArray[np.uint8] | NDArray[np.bool_]:
    return instances if instances.max() > 1 else instances > 0


def _labels_table(plans: Sequence[CasePlan], *, size: int) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["case_id", "label", "patient_id", "spacing_mm"])
    for plan in plans:
        writer.writerow([plan.stem, plan.patient.label, plan.patient_id, plan.spacing(size)[0]])
    return table.getvalue()
