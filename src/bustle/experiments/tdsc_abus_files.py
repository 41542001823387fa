"""A submission to the TDSC-ABUS 2023 challenge as files, in the form that the challenge's containers wrote.

    SUBMISSION/Segmentation/MASK_130.nrrd …   one mask per volume, every voxel that is not zero is tumour
    SUBMISSION/Classification/*.csv           case,prob: the probability that the tumour is malignant
    SUBMISSION/Detection/*.csv                public_id,coordX,coordY,coordZ,x_length,y_length,z_length,probability

Any of the three may be absent. The number in a file's name, in `case` and in `public_id` is the case's number. Boxes
are in voxels, centre and side lengths; X counts slices, Y depth, Z the lateral direction (the axes of the array that
SimpleITK gives). A volume may have any number of boxes, also none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError
from bustle.evaluation.tdsc_abus import ChallengeBox
from bustle.io.tables import Row, cell_text, read_table

SEGMENTATION, CLASSIFICATION, DETECTION = "Segmentation", "Classification", "Detection"
BOX_COLUMNS = ("coordX", "coordY", "coordZ", "x_length", "y_length", "z_length")


@dataclass(frozen=True)
class Submission:
    """By case number: the file of the mask, P(malignant), boxes with their probabilities; None for an absent part."""

    masks: Mapping[int, Path] | None
    probabilities: Mapping[int, float] | None
    boxes: Mapping[int, Sequence[tuple[ChallengeBox, float]]] | None


def read_submission(folder: Path) -> Submission:
    """Read the tables and list the masks. Raises `InputError` for broken tables and where no part is there."""
    submission = Submission(
        masks=_mask_files(folder / SEGMENTATION),
        probabilities=_class_probabilities(folder / CLASSIFICATION),
        boxes=_proposed_boxes(folder / DETECTION),
    )
    if submission == Submission(None, None, None):
        raise InputError(
            f"holds none of the folders {SEGMENTATION}, {CLASSIFICATION}, {DETECTION}",
            remedy="give the folder that holds them",
            path=folder,
        )
    return submission


def case_number(name: str) -> int | None:
    """The last whole number in a name such as `tdsc-abus/DATA_130`."""
    found = re.findall(r"\d+", name)
    return int(found[-1]) if found else None


def _mask_files(folder: Path) -> dict[int, Path] | None:
    from bustle.io.volume import is_volume

    if not folder.is_dir():
        return None
    files: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        number = case_number(path.name.split(".")[0]) if is_volume(path) else None
        if number is None:
            continue
        if number in files:
            raise InputError(f"is a second mask of case {number}", remedy="keep one of them", path=path)
        files[number] = path
    return files


def _class_probabilities(folder: Path) -> dict[int, float] | None:
    table = _table(folder, columns=("case", "prob"))
    if table is None:
        return None
    path, rows = table
    found: dict[int, float] = {}
    for line, row in rows:
        number = _number_of(row["case"], path=path, line=line)
        if number in found:
            raise InputError(f"case {number} occurs again in line {line}", remedy="keep one row", path=path)
        found[number] = _value(row["prob"], path=path, line=line, high=1.0)
    return found


def _proposed_boxes(folder: Path) -> dict[int, list[tuple[ChallengeBox, float]]] | None:
    table = _table(folder, columns=("public_id", *BOX_COLUMNS, "probability"))
    if table is None:
        return None
    path, rows = table
    found: dict[int, list[tuple[ChallengeBox, float]]] = {}
    for line, row in rows:
        x, y, z, *lengths = (_value(row[name], path=path, line=line) for name in BOX_COLUMNS)
        box = ChallengeBox((x, y, z), (lengths[0], lengths[1], lengths[2]))
        if min(lengths) < 0:
            raise InputError(f"line {line} has a negative length", remedy="give side lengths in voxels", path=path)
        probability = _value(row["probability"], path=path, line=line, high=1.0)
        found.setdefault(_number_of(row["public_id"], path=path, line=line), []).append((box, probability))
    return found


def _table(folder: Path, *, columns: Sequence[str]) -> tuple[Path, list[tuple[int, Row]]] | None:
    """The folder's one CSV and its rows with their line numbers; None where there is no such folder."""
    if not folder.is_dir():
        return None
    tables = sorted(folder.glob("*.csv"))
    if len(tables) != 1:
        raise InputError(f"holds {len(tables)} CSV files", remedy="it needs exactly one", path=folder)
    (path,) = tables
    table = read_table(path, optional=columns, blank_missing=False)
    absent = [name for name in columns if name not in table.columns]
    if absent:
        raise InputError(f"lacks the column {', '.join(absent)}", remedy=f"it needs {','.join(columns)}", path=path)
    return path, list(zip(table.lines, table.rows, strict=True))


def _number_of(cell: Any, *, path: Path, line: int) -> int:
    text = cell_text(cell)
    number = case_number(text)
    if number is None:
        raise InputError(f"'{text}' in line {line} names no case", remedy="write the case's number", path=path)
    return number


def _value(text: Any, *, path: Path, line: int, high: float = math.inf) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (high < math.inf and not 0 <= value <= high):
        what = "is not a probability" if high < math.inf else "is not a number"
        raise InputError(f"'{text}' in line {line} {what}", remedy="correct the value", path=path)
    return value
