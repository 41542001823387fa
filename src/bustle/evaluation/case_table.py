"""`cases.csv`: one row per case, so that every table can be made again without pixels or a network."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError
from bustle.core.files import write_text

TEXT = ("case_id", "patient_id", "group_id", "source", "label", "decision", "size_stratum")
FLAGS = ("truth_empty", "prediction_empty")
AFTER_PROBABILITIES = (
    "decision",
    "dice",
    "iou",
    "hd95_px",
    "hd95_mm",
    "asd_px",
    "asd_mm",
    "sensitivity",
    "specificity",
    "accuracy",
    "tfpr",
    "area",
    "size_stratum",
    *FLAGS,
    "precision",
    "fpr_union",
    "fpr_background",
    "hd95_pooled_px",
    "hd95_pooled_mm",
    "assd_px",
    "assd_mm",
    "area_mm2",
    "false_positive_area",
    "box_iou",
    "volume_mm3",
)


def case_columns(classes: Sequence[str]) -> list[str]:
    """The header of `cases.csv`."""
    probabilities = [f"probability_{name}" for name in classes]
    return ["case_id", "patient_id", "group_id", "source", "label", *probabilities, *AFTER_PROBABILITIES]


def write_cases(path: Path, rows: Sequence[Mapping[str, Any]], *, classes: Sequence[str]) -> None:
    """Write the rows; None is blank, flags are 0 and 1, numbers keep at least 6 significant digits."""
    text = io.StringIO()
    columns = case_columns(classes)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_written(row[column]) for column in columns])
    write_text(path, text.getvalue())


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def read_cases(path: Path) -> list[dict[str, Any]]:
    """The rows of a `cases.csv`, with the types that `score_case` gives; columns of a later version are None."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            table = list(csv.DictReader(handle))
    except FileNotFoundError:
        raise InputError("no such file", remedy="evaluate the predictions first", path=path) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"is not a readable CSV ({error})", remedy="evaluate again", path=path) from None
    try:
        rows = [{column: _read(column, value) for column, value in row.items()} for row in table]
    except (TypeError, ValueError) as error:
        raise InputError(f"holds a wrong value ({error})", remedy="evaluate again", path=path) from None
    return [row | {column: None for column in AFTER_PROBABILITIES if column not in row} for row in rows]


def _read(column: str, value: str) -> Any:
    if value == "":
        return None
    if column in TEXT:
        return value
    if column in FLAGS:
        return bool(int(value))
    return int(value) if column in ("area", "false_positive_area") else float(value)
