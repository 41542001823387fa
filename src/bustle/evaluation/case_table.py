"""`cases.csv`: one row per case, so that every table can be made again without pixels or a network."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from bustle.core.csv_cells import cell_of_text, text_of_cell
from bustle.core.errors import InputError
from bustle.core.files import read_error, write_text

PROBABILITY = "probability_"
"""Before the class's name, the header of a column of class probabilities."""

LARGEST = 1e12
"""No distance or size in pixels, voxels, mm or mm² is larger; none is negative."""

LATER = ("box_iou", "volume_mm3", "possible", "box_dice")
"""Columns that the first version did not write: a table without them is read as if they were blank."""


@dataclass(frozen=True, kw_only=True)
class CaseRow:
    """One tested case; unknown and undefined values are None. The fields are the table's columns, in its order.

    `group_id` is the unit of resampling. `probabilities` holds every class of the method; `decision` is the method's
    word. Fractions are 0..1, areas are in pixels (voxels) of the scored grid; `area_mm2` is for images, `volume_mm3`
    for volumes. `possible` are the classes that an answer leaves possible, joined by `|`. `truth_empty` and
    `prediction_empty` are None where the mask is unknown.
    """

    case_id: str
    patient_id: str | None = None
    group_id: str
    source: str
    label: str | None = None
    probabilities: Mapping[str, float | None] = field(default_factory=dict)
    decision: str | None = None
    dice: float | None = None
    iou: float | None = None
    hd95_px: float | None = None
    hd95_mm: float | None = None
    asd_px: float | None = None
    asd_mm: float | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    accuracy: float | None = None
    tfpr: float | None = None
    area: int | None = None
    size_stratum: str | None = None
    truth_empty: bool | None = None
    prediction_empty: bool | None = None
    precision: float | None = None
    fpr_union: float | None = None
    fpr_background: float | None = None
    hd95_pooled_px: float | None = None
    hd95_pooled_mm: float | None = None
    assd_px: float | None = None
    assd_mm: float | None = None
    area_mm2: float | None = None
    false_positive_area: int | None = None
    box_iou: float | None = None
    volume_mm3: float | None = None
    possible: str | None = None
    box_dice: float | None = None

    def value(self, column: str) -> float | None:
        """The number in a column, by its name: a metric of `SEGMENTATION`, or a size."""
        return getattr(self, column)

    def probability(self, name: str | None) -> float | None:
        """The probability of a class, None too for a class that the method does not know."""
        return None if name is None else self.probabilities.get(name)


def column_values(rows: Sequence[CaseRow], column: str) -> NDArray[np.float64]:
    """The numbers in a column, NaN where a row has none."""
    return np.array([row.value(column) for row in rows], np.float64)


def case_columns(classes: Sequence[str]) -> list[str]:
    """The header of `cases.csv`."""
    return [column for name in _kinds() for column in _columns_of(name, classes)]


def write_cases(path: Path, rows: Sequence[CaseRow], *, classes: Sequence[str]) -> None:
    """Write the rows; None is blank, flags are 0 and 1, numbers keep at least 6 significant digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(case_columns(classes))
    writer.writerows([_written(value) for value in _values(row, classes)] for row in rows)
    write_text(path, text.getvalue())


def read_cases(path: Path) -> list[CaseRow]:
    """The rows of a `cases.csv`. Raises `InputError` for a table that is no such one or holds no case."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            text = handle.read()
        reader = csv.DictReader(io.StringIO(text), strict=True)
        columns, table = list(reader.fieldnames or ()), list(reader)
    except FileNotFoundError:
        raise InputError("no such file", remedy="evaluate the predictions first", path=path) from None
    except OSError as error:
        raise read_error(path, error) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"is not a readable CSV ({error})", remedy="evaluate again", path=path) from None
    classes = [column.removeprefix(PROBABILITY) for column in columns if column.startswith(PROBABILITY)]
    _check_columns(columns, expected=case_columns(classes), path=path)
    if not table:
        raise InputError("holds no case", remedy="evaluate again", path=path)
    try:
        if not text.endswith("\n"):
            raise ValueError("the last row is cut off")
        return [_row(entry, classes) for entry in table]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"holds a wrong value ({error})", remedy="evaluate again", path=path) from None


def _check_columns(columns: Sequence[str], *, expected: Sequence[str], path: Path) -> None:
    absent = [column for column in expected if column not in columns and column not in LATER]
    if absent:
        raise InputError(f"lacks the column {absent[0]}", remedy="evaluate again", path=path)
    twice = [column for column, count in Counter(columns).items() if count > 1]
    if twice:
        raise InputError(f"has the column {twice[0]} more than once", remedy="evaluate again", path=path)
    foreign = [column for column in columns if column not in expected]
    if foreign:
        raise InputError(f"has an unknown column {foreign[0]}", remedy="evaluate again", path=path)


@cache
def _kinds() -> Mapping[str, Any]:
    """The type of every field but for None, by its name in the order of the columns."""
    hints = get_type_hints(CaseRow)
    return {f.name: (get_args(hints[f.name]) or (hints[f.name],))[0] for f in fields(CaseRow)}


def _columns_of(name: str, classes: Sequence[str]) -> list[str]:
    return [f"{PROBABILITY}{each}" for each in classes] if name == "probabilities" else [name]


def _values(row: CaseRow, classes: Sequence[str]) -> Iterator[Any]:
    for name in _kinds():
        if name == "probabilities":
            yield from (row.probabilities.get(each) for each in classes)
        else:
            yield getattr(row, name)


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:.9g}" if isinstance(value, float) else cell_of_text(str(value))


def _row(entry: Mapping[str, str | None], classes: Sequence[str]) -> CaseRow:
    if None in entry:
        raise ValueError("a row that is too long")
    values = {name: _read(kind, entry.get(name, "")) for name, kind in _kinds().items() if name != "probabilities"}
    for name in ("case_id", "group_id", "source"):
        if values[name] is None:
            raise ValueError(f"a row without {name}")
    return CaseRow(**values, probabilities={name: _read(float, entry[f"{PROBABILITY}{name}"]) for name in classes})


def _read(kind: Any, text: str | None) -> Any:
    if text is None:
        raise ValueError("a row that is too short")
    if text == "":
        return None
    if kind is bool:
        return {"0": False, "1": True}[text]
    value = kind(text_of_cell(text))
    if kind is not str and not 0 <= value <= LARGEST:
        raise ValueError(f"{text} is no fraction, distance or size")
    return value
