"""The meaning of single cells: class names, pixel spacing, boxes."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError, unknown_name
from bustle.core.types import CLASS_NAMES, Box, Label
from bustle.io.tables import cell_text


def parse_label(value: Any, *, path: Path | None) -> Label | None:
    """A class name in any case, with blanks around it; '' is an absent label. Unknown names raise `InputError`."""
    text = str(value).strip().lower()
    if not text:
        return None
    for label in CLASS_NAMES:
        if text == label:
            return label
    raise unknown_name("class name", str(value).strip(), CLASS_NAMES, path=path)


def parse_id(value: Any) -> str | None:
    """Text of an id; '' is absent."""
    return cell_text(value) or None


def parse_spacing(value: Any, *, path: Path | None) -> tuple[float, float] | None:
    """Pixel spacing in mm, one number or "rows columns"; '' is unknown. Returns (row, column) spacing.

    `0,08` has a decimal comma; `1,5` could be two numbers, and is refused.
    """
    text = str(value).strip()
    if re.fullmatch(r"\d+,\d+", text):
        if not text.startswith("0,"):
            one, two = text.replace(",", "."), text.replace(",", " ")
            raise InputError(f"'{text}' may be {one} or {two}", remedy="write it with a point, or a blank", path=path)
        value = text.replace(",", ".")
    numbers = _numbers(value)
    if numbers == []:
        return None
    if numbers is None or len(numbers) > 2 or not all(0 < number < math.inf for number in numbers):
        raise InputError(
            f"'{value}' is not a pixel spacing",
            remedy="write one number of millimetres, or two: between rows, between columns",
            path=path,
        )
    return numbers[0], numbers[-1]


def parse_boxes(value: Any, *, path: Path) -> tuple[Box, ...] | None:
    """Boxes "y0 x0 y1 x1" in pixels, the stops exclusive, several separated by ';'; '' is an absent annotation."""
    if not str(value).strip():
        return None
    boxes = []
    for part in str(value).split(";"):
        numbers = _numbers(part)
        if numbers is None or len(numbers) != 4 or not all(number.is_integer() for number in numbers):
            raise InputError(f"'{part.strip()}' is not a box", remedy="write y0 x0 y1 x1 in whole pixels", path=path)
        box = Box(*map(int, numbers))
        if not (0 <= box.y_start < box.y_stop and 0 <= box.x_start < box.x_stop):
            raise InputError(
                f"the box '{part.strip()}' is empty or negative",
                remedy="write y0 x0 y1 x1 with y0 < y1, x0 < x1",
                path=path,
            )
        boxes.append(box)
    return tuple(boxes)


def _numbers(value: Any) -> list[float] | None:
    """Numbers separated by blanks, commas or 'x', brackets ignored; None where one is not a number."""
    try:
        return [float(part) for part in re.split(r"[\s,x\[\]()]+", str(value)) if part]
    except ValueError:
        return None
