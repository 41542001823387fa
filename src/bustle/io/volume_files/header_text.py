"""Lines, numbers and names in the headers of NRRD and MetaImage, which are text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

from bustle.io.volume_files.stored_volume import damaged

LONGEST_HEADER = 1 << 20
"""Bytes within which the text header must end; programs for segmentation write long remarks into it."""

_LONGEST_NUMBER = 40
"""Characters: more cannot be a number that anybody means, and take Python long to convert."""


def header_text(path: Path, *, until: Callable[[str], bool]) -> tuple[list[str], int]:
    """The lines up to the one that is the last, without it and its break, and the byte behind that one.

    A file that ends within the header has no further line. Raises `InputError` for a header that is too long.
    """
    with path.open("rb") as stream:
        start = stream.read(LONGEST_HEADER)
    lines: list[str] = []
    end = 0
    while end < len(start):
        stop = start.find(b"\n", end)
        stop = len(start) if stop < 0 else stop
        line = start[end:stop].rstrip(b"\r").decode("latin-1")
        end = min(stop + 1, len(start))
        if until(line):
            return lines, end
        lines.append(line)
    if len(start) == LONGEST_HEADER:
        raise damaged(path, "its header does not end")
    return lines, end


def number(text: str) -> float:
    """A number, or NaN for what is none."""
    try:
        return float(text) if len(text) <= _LONGEST_NUMBER else math.nan
    except ValueError:
        return math.nan


def numbers(text: str, *, path: Path, count: int, finite: bool = True) -> list[float]:
    """`count` numbers between spaces; raises `InputError` for anything else."""
    found = [number(word) for word in text.split()]
    if len(found) != count or (finite and not all(map(math.isfinite, found))):
        raise damaged(path, f"{text[:40]!r} is not {count} numbers")
    return found


def wholes(text: str, *, path: Path, count: int, least: int, most: int = 1 << 31) -> list[int]:
    """`count` whole numbers of `least` to `most` between spaces; raises `InputError` for anything else."""
    words = text.split()
    fits = len(words) == count and all(re.fullmatch(r"[-+]?\d{1,18}", word) for word in words)
    if not fits or not all(least <= int(word) <= most for word in words):
        raise damaged(path, f"{text[:40]!r} in its header makes no sense")
    return [int(word) for word in words]


def whole(text: str, *, path: Path, least: int, most: int) -> int:
    return wholes(text, path=path, count=1, least=least, most=most)[0]


def of_slices(pattern: str, *, path: Path, most: int) -> list[str]:
    """The file names of `name%03d.raw FIRST LAST STEP`; raises `InputError` for other patterns and for too many."""
    found = re.fullmatch(r"([^%]*)%(0?\d?)d([^%]*?)\s+(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})(\s+\d+)?", pattern)
    if found is None or int(found[6]) == 0:
        raise damaged(path, f"{pattern[:40]!r} names no files")
    range_of_files = range(int(found[4]), int(found[5]) + 1, int(found[6]))
    if len(range_of_files) > most:
        raise damaged(path, f"it names {len(range_of_files)} files for {most} slices")
    return [f"{found[1]}{value:{found[2]}d}{found[3]}" for value in range_of_files]
