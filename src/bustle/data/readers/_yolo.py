"""Annotations in the form of YOLO: a text file per image, a line per lesion.

`class x y width height` is a box, `class x0 y0 x1 y1 …` an outline, all as fractions of the image's size. The names
of the classes stand in `data.yaml` or `classes.txt`.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError
from bustle.core.types import Box, Label
from bustle.data.readers._class_words import ClassWords
from bustle.data.readers._lesions import LesionSource, UnitedMasks
from bustle.data.readers.coco import Outlines

_LINE = "each line is class x y width height, or class and an outline, as fractions of the image's size"


@dataclass(frozen=True)
class YoloLesions:
    """What one text file says: outlines where every lesion has one, boxes of all lesions, the class of the image."""

    lesions: LesionSource | None
    boxes: tuple[Box, ...] | None
    label: Label | None


def read_yolo(path: Path, *, size: tuple[int, int], names: dict[int, str], words: ClassWords) -> YoloLesions:
    """Read the file of an image of `size` (height, width). Raises `InputError` that names the line."""
    outlines: list[list[list[float]]] = []
    boxes: list[Box] = []
    labels: list[Label | None] = []
    height, width = size
    for number, line in enumerate(_lines(path), 1):
        if not line.split():
            continue
        try:
            kind, *places = (float(part) for part in line.split())
        except ValueError:
            kind, places = math.nan, []
        sound = kind.is_integer() and all(-0.01 <= place <= 1.01 for place in places)
        if not sound or (len(places) != 4 and (len(places) < 6 or len(places) % 2)):
            raise InputError(f"line {number} is no YOLO annotation", remedy=_LINE, path=path)
        labels.append(words.meaning(names.get(int(kind), str(int(kind)))))
        if len(places) == 4:
            x, y, w, h = places
            places = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
        else:
            outlines.append([[p * side for p, side in zip(places, itertools.cycle((width, height)), strict=False)]])
        boxes.append(_box(places[0::2], places[1::2], size=size))
    if not labels:
        return YoloLesions(UnitedMasks((), None), None, None)
    lesions = Outlines(path, tuple(outlines), tuple(labels)) if len(outlines) == len(labels) else None
    return YoloLesions(lesions, tuple(boxes), _case_label(labels))


def class_names(root: Path) -> dict[int, str]:
    """The names by number from `data.yaml` or `classes.txt` in a folder; empty without them."""
    from bustle.core.yaml_text import load_yaml

    for name in ("data.yaml", "data.yml", "dataset.yaml"):
        if (root / name).is_file():
            try:
                content = load_yaml((root / name).read_text(encoding="utf-8"))
                return _numbered(content["names"])
            except Exception as error:  # whatever stands there instead
                raise InputError(
                    "has no readable names of classes", remedy="write names: [benign, malignant]", path=root / name
                ) from error
    for name in ("classes.txt", "obj.names"):
        if (root / name).is_file():
            return _numbered([line.strip() for line in _lines(root / name) if line.strip()])
    return {}


def _numbered(names: Any) -> dict[int, str]:
    pairs = names.items() if isinstance(names, dict) else enumerate(names)
    return {int(number): str(name) for number, name in pairs}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError("is not readable text", remedy=_LINE, path=path) from None


def _box(xs: list[float], ys: list[float], *, size: tuple[int, int]) -> Box:
    height, width = size
    top, left = (
        min(max(0, math.floor(min(values) * side)), side - 1) for values, side in ((ys, height), (xs, width))
    )
    bottom, right = min(height, math.ceil(max(ys) * height)), min(width, math.ceil(max(xs) * width))
    return Box(top, left, max(bottom, top + 1), max(right, left + 1))


def _case_label(labels: list[Label | None]) -> Label | None:
    if "malignant" in labels:
        return "malignant"
    return None if None in labels else labels[0]
