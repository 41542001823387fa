"""Writes small copies of data sets in the `folder` layout, to carry to another machine."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bustle.core.claimed_output import OutputKind, claim_folder
from bustle.core.errors import InputError
from bustle.core.files import write_text
from bustle.core.own_names import OwnNames
from bustle.core.progress import announce
from bustle.core.types import Case, ImageMapping, Sample
from bustle.data.case_pass import each_sample
from bustle.data.prepared.image_grid import ImageGrid
from bustle.io.raster import MIN_SIDE, write_png

TABLE = "labels.csv"
COLUMNS = ("case_id", "label", "patient_id", "spacing_mm")
COPY = OutputKind("data shrink", "a small copy", OwnNames())


@dataclass(frozen=True)
class CopiedSource:
    """What was written of one source."""

    name: str
    cases: int
    bytes: int


def write_small_copies(cases: Sequence[Case], out: Path, *, longest_side: int) -> list[CopiedSource]:
    """Write images of at most `longest_side` pixels a side, and their masks, below `out/<source>`.

    The table beside them keeps class, patient, pixel size and what the data set says besides; a video without a
    patient stands for one. Stems are those of the case ids, so that a split of the original fits the copy. Nothing is
    left behind where a case cannot be copied. Raises `InputError` for a folder that is not empty, a
    volume, a case with boxes alone, a file that cannot be read, and a lesion that has no pixel left.
    """
    if longest_side < MIN_SIDE:
        raise InputError(f"{longest_side} pixels are too few", remedy=f"give --longest-side {MIN_SIDE} or more")
    with claim_folder(out, COPY) as claim:
        if not claim.is_empty:
            raise InputError("is not empty", remedy="choose a new or empty folder", path=out)
        claim.begin(clear=False)
        if any(case.official_fold is not None for case in cases):
            announce(
                "bustle: the publishers' folds are not kept: `bustle data split` the original, its file fits the copy"
            )
        with tempfile.TemporaryDirectory(prefix=".shrinking-", dir=out) as building:
            written = [
                _write_source(
                    Path(building) / source,
                    [case for case in cases if case.source == source],
                    longest_side=longest_side,
                )
                for source in dict.fromkeys(case.source for case in cases)
            ]
            for source in written:
                (Path(building) / source.name).rename(out / source.name)
        return written


def _write_source(folder: Path, cases: Sequence[Case], *, longest_side: int) -> CopiedSource:
    spacings, problems = [], []
    for case, found in zip(
        cases,
        each_sample(
            cases, lambda sample: _write_case(folder, sample, longest_side=longest_side), description="shrink"
        ),
        strict=True,
    ):
        if isinstance(found, InputError):
            problems.append(found)
        else:
            spacings.append(_spacing(case, found))
    if len(problems) > 1:
        announce(f"bustle: {len(problems)} cases of {folder.name} cannot be copied; of the first:")
    if problems:
        raise problems[0]
    write_text(folder / TABLE, _table(cases, spacings))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return CopiedSource(folder.name, len(cases), size)


def _write_case(folder: Path, sample: Sample, *, longest_side: int) -> ImageGrid:
    """Returns the grid of the copy, which may be that of the image itself: nothing is enlarged."""
    size = sample.geometry.original_size
    if len(size) != 2:
        raise InputError(f"'{sample.case_id}' is a volume", remedy="leave it out: images alone are copied")
    if sample.boxes is not None and sample.lesion_mask is None:
        raise InputError(f"'{sample.case_id}' has boxes alone", remedy="leave it out: masks alone are copied")
    scale = min(1.0, longest_side / max(size))
    smaller = tuple(min(side, max(MIN_SIDE, round(side * scale))) for side in size)
    grid = ImageGrid(sample.geometry, ImageMapping(smaller, (0, 0), smaller))
    name = f"{_stem(sample.case_id)}.png"
    write_png(folder / "images" / name, grid.prepare(sample.image))
    if sample.lesion_mask is not None:
        lesions = grid.mask_to_network(sample.lesion_mask)
        if set(np.unique(sample.lesion_mask)) - set(np.unique(lesions)) - {0}:
            raise InputError(
                f"a lesion of '{sample.case_id}' has no pixel left", remedy="give a greater --longest-side"
            )
        write_png(folder / "masks" / name, lesions if lesions.max() > 1 else lesions > 0)
    if sample.gland_mask is not None:
        write_png(folder / "gland" / name, grid.mask_to_network(sample.gland_mask))
    return grid


def _stem(case_id: str) -> str:
    return case_id.partition("/")[2]


def _spacing(case: Case, grid: ImageGrid) -> str:
    """Between rows and columns of the copy; empty where the original's is not known."""
    original = grid.geometry.spacing or case.spacing
    if original is None:
        return ""
    shrunk = zip(original, grid.geometry.original_size, grid.mapping.network_size, strict=True)
    return " ".join(f"{step * old / new:.6g}" for step, old, new in shrunk)


def _table(cases: Sequence[Case], spacings: Sequence[str]) -> str:
    besides = sorted({key for case in cases for key in case.metadata} - set(COLUMNS))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow([*COLUMNS, *besides])
    for case, spacing in zip(cases, spacings, strict=True):
        known = (_stem(case.case_id), case.label, case.patient_id or case.video, spacing)
        writer.writerow([*map(_cell, known), *(_cell(case.metadata.get(key)) for key in besides)])
    return table.getvalue()


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
