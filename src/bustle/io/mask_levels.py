"""What the numbers in a mask file mean: inside or outside, the numbers of lesions, or a soft edge.

A mask should hold two values, or number its lesions 1..n. Others come with soft edges (drawn with a soft brush,
resized, blurred, once saved as JPEG), as probabilities, or with an outside that is not quite zero. Taking every
value but zero would draw those too large, so they are cut halfway.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError

MAX_NUMBERED = 254
"""More lesions than these are not numbered in one file."""

_TRUSTED_NUMBERS = 8
"""Up to so many values, 1..n are numbers of lesions whatever they look like; more may be the steps of a soft edge."""

_FULL_SCALES = (255.0, 65535.0)
"""The values of a probability of 1 in files of whole numbers: the first that holds all of them."""


@dataclass(frozen=True)
class MaskReading:
    """`mask` is bool `*S`; `numbered` says that the values are the lesions 1..n, `cut` that grey values were cut."""

    mask: NDArray[np.bool_]
    numbered: bool = False
    cut: bool = False


def read_annotation(values: NDArray[Any], *, path: Path) -> MaskReading:
    """A drawn mask `*S` of numbers.

    Two values are outside and inside; 1..n, and a few values that fill areas of their own (such as a grey for each
    class), are all inside. Anything else is cut halfway between its smallest and its largest value, half of the
    maximum where the outside is 0. Raises `InputError` for values that are not finite.
    """
    return _read(values, path=path, half=None)


def read_probabilities(values: NDArray[Any], *, path: Path) -> MaskReading:
    """A predicted mask `*S`: as `read_annotation`, but other values are probabilities, inside from 0.5.

    Whole numbers are probabilities of 0..255 or 0..65535, broken ones of 0..1. Raises `InputError` likewise.
    """
    whole = np.issubdtype(values.dtype, np.integer)
    scales = _FULL_SCALES if whole else (1.0, *_FULL_SCALES)
    most = float(values.max())
    return _read(values, path=path, half=next((scale for scale in scales if most <= scale), most) / 2)


def _read(values: NDArray[Any], *, path: Path, half: float | None) -> MaskReading:
    """`half` is where probabilities are cut; None means an annotation."""
    if values.dtype == np.bool_:
        return MaskReading(values)
    if not np.issubdtype(values.dtype, np.integer) and not np.isfinite(values).all():
        raise InputError("holds values that are no numbers", remedy="write it again with 0 and 255", path=path)
    levels = _levels(values)
    if levels is not None:
        if levels.size == 1 and half is not None and levels[0] not in (0, 1):
            return MaskReading(values >= half, cut=True)  # one probability everywhere
        if levels.size == 1 or (levels.size == 2 and levels[0] == 0 and levels[1] > 0):
            return MaskReading(values != 0)
        inside = levels[1:] if levels[0] == 0 else levels
        numbered = (
            levels[0] == 0 and inside.size <= MAX_NUMBERED and np.array_equal(inside, np.arange(1, inside.size + 1))
        )
        if numbered and (inside.size <= _TRUSTED_NUMBERS or 2 * _areas(values, inside) >= inside.size):
            return MaskReading(values != 0, numbered=True)
        few = half is None and levels[0] == 0 and inside.size <= _TRUSTED_NUMBERS
        if few and _areas(values, inside) == inside.size:
            return MaskReading(values != 0)
    if half is None:
        half = (float(values.min()) + float(values.max())) / 2
    return MaskReading(values >= half, cut=True)


def _levels(values: NDArray[Any]) -> NDArray[Any] | None:
    """The distinct values in ascending order, slice by slice to save memory; None if there are very many."""
    if values.dtype == np.uint8:
        counts = np.zeros(256, np.int64)
        for part in values:
            counts += np.bincount(part.ravel(), minlength=256)
        return np.flatnonzero(counts)
    found = np.empty(0, values.dtype)
    for part in values:
        found = np.union1d(found, part)
        if found.size > MAX_NUMBERED + 1:
            return None
    return found


def _areas(values: NDArray[Any], levels: NDArray[Any]) -> int:
    """How many of the levels fill an area: they have a pixel whose neighbours in the last two axes are equal."""
    here = values[..., 1:-1, 1:-1]
    flat = (here == values[..., :-2, 1:-1]) & (here == values[..., 2:, 1:-1])
    flat &= (here == values[..., 1:-1, :-2]) & (here == values[..., 1:-1, 2:])
    return int(np.isin(levels, here[flat]).sum())
