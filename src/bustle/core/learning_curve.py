"""`metrics.csv` of a training: one row per epoch, written as it goes on and read back when it is summed up."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.files import read_error, write_text
from bustle.core.run_layout import FoldLayout

Row = Mapping[str, int | float | None]
"""An epoch's figures, with at least `COLUMNS`; None is a blank cell. Whole numbers are written as such."""

LearningCurve = tuple[Row, ...]
"""One row for each epoch, which count from 1."""

COLUMNS = ("epoch", "seconds")
"""Every training has these; the others depend on its losses and on what its cases can be validated by."""

MAKE_AGAIN = (
    "restore it; or move it away and repeat the training's command with --resume, "
    "which makes it again from the checkpoint"
)


def write_learning_curve(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV with a header; None is an empty cell."""
    text = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)  # an earlier version may have logged fewer
    writer = csv.DictWriter(text, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_learning_curve(path: Path) -> LearningCurve:
    """Raises `InputError` for a file that is missing, damaged, cut off, or no such table."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            text = handle.read()
        header, *lines = list(csv.reader(io.StringIO(text), strict=True)) or [[]]
    except FileNotFoundError:
        remedy = "repeat the training's command with --resume, which makes it again from the checkpoint"
        raise InputError("no such file", remedy=remedy, path=path) from None
    except OSError as error:
        raise read_error(path, error) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"is not a readable CSV ({error})", remedy=MAKE_AGAIN, path=path) from None
    try:
        if not text.endswith("\n"):
            raise ValueError("it is cut off")
        if len(set(header)) < len(header):
            raise ValueError("two columns have one name")
        curve = tuple(_row(header, line) for line in lines)
        check_learning_curve(curve)
    except ValueError as error:
        raise InputError(f"is not the learning curve of a training ({error})", remedy=MAKE_AGAIN, path=path) from None
    return curve


def _row(header: Sequence[str], line: Sequence[str]) -> Row:
    return dict(zip(header, [float(text) if text else None for text in line], strict=True))


def check_learning_curve(curve: Sequence[Row]) -> None:
    """Raises `ValueError` unless there is a row for each epoch, with finite values."""
    if not all(row.keys() >= set(COLUMNS) for row in curve):
        raise ValueError(f"it lacks the columns {' and '.join(COLUMNS)}")
    if not curve or [row["epoch"] for row in curve] != list(range(1, len(curve) + 1)):
        raise ValueError("its epochs do not count from 1 to the last")
    if not all(value is None or math.isfinite(value) for row in curve for value in row.values()):
        raise ValueError("a value is not finite")


def read_earlier_curves(fold: FoldLayout) -> dict[str, LearningCurve]:
    """Those of the stages before the last one, by the stage's name; empty for a fold of one training."""
    begun = [stage for stage in fold.earlier_stages() if stage.has_epoch or stage.history.exists()]
    return {stage.path.name: read_learning_curve(stage.history) for stage in begun}
