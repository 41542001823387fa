"""Writes phantom cine loops for the reader `frames`: a folder of PNG frames per video, videos.csv and boxes.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bustle.core.files import write_text
from bustle.data.phantom.cine import CinePlan, cine_boxes, cine_frame, plan_cines
from bustle.data.phantom.claimed_set import BOXES, VIDEOS, ClaimedSet, claimed_set
from bustle.data.phantom.dataset import write_each
from bustle.data.phantom.plan import GENERATOR_VERSION, check_size
from bustle.io.raster import write_png


def write_cine_set(
    out: Path, *, videos: int, seed: int, size: int = 256, workers: int | None = None
) -> list[CinePlan]:
    """Write `videos` videos below `out` and return their plans; an interrupted run continues where it stopped.

    Raises `InputError` when `out` holds anything but this very set.
    """
    plans = plan_cines(videos, seed=seed)
    settings = {"generator_version": GENERATOR_VERSION, "seed": seed, "size": check_size(size), "videos": videos}
    with claimed_set(Path(out), settings) as written:
        _write_set(out, plans, size=size, written=written, workers=workers)
    return plans


def _write_set(out: Path, plans: Sequence[CinePlan], *, size: int, written: ClaimedSet, workers: int | None) -> None:
    frames = ((plan, frame) for plan in plans for frame in range(plan.frames))
    missing = [(plan, frame) for plan, frame in frames if not _file(out, plan, frame).is_file()]

    def write(item: tuple[CinePlan, int]) -> None:
        plan, frame = item
        write_png(_file(out, plan, frame), cine_frame(plan, frame, size=size).image)

    if missing:
        written.reopen()
    write_each(missing, write, workers=workers)
    rows = (
        (plan.video, frame, *box)
        for plan in plans
        for frame in plan.boxed
        for box in cine_boxes(plan, frame, size=size) or ()
    )
    write_text(out / BOXES, _csv(("video", "frame", "y_start", "x_start", "y_stop", "x_stop"), rows))
    write_text(out / VIDEOS, _videos_table(plans, size=size))


def _file(out: Path, plan: CinePlan, frame: int) -> Path:
    return out / "videos" / plan.video / f"frame-{frame:03d}.png"


def _videos_table(plans: Sequence[CinePlan], *, size: int) -> str:
    rows = (
        (f"videos/{plan.video}", plan.patient.label, plan.patient_id, plan.patient.spacing(size)[0]) for plan in plans
    )
    return _csv(("video", "label", "patient_id", "spacing_mm"), rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return table.getvalue()
