r"""Names that people and machines write differently for one thing.

A letter with an accent has two forms in Unicode, and systems differ in which one their file names have; a table may
write `c0.png`, `images\c0.png` or `c0` of one image. Names are compared in one normal form.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from bustle.io.raster import RASTER_SUFFIXES
from bustle.io.volume_files import VOLUME_SUFFIXES

_SUFFIXES = tuple(sorted((*RASTER_SUFFIXES, *VOLUME_SUFFIXES), key=len, reverse=True))
_FOREIGN_ROOT = re.compile(r"[A-Za-z]:/|/")


def normal_form(name: str) -> str:
    """Without blanks around it, accents and letters composed (NFC)."""
    return unicodedata.normalize("NFC", name.strip())


def without_suffix(name: str) -> str:
    """Without the ending of an image or a volume; other dots belong to the name."""
    ending = next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(ending)] if len(name) > len(ending) else name


class NameIndex:
    """Finds which of `names` (stems, or ids `<source>/<stem>`) is meant."""

    def __init__(self, names: Iterable[str]):
        self._names: dict[str, list[str]] = {}
        for name in names:
            own = normal_form(name)
            for form in dict.fromkeys((own, own.rpartition("/")[2])):
                self._names.setdefault(form, []).append(name)

    def find(self, text: str) -> list[str]:
        """The names that `text` may mean, in full or by the stem, also as a file with ending and folders."""
        for form in _forms(normal_form(text)):
            if form in self._names:
                exact = [name for name in self._names[form] if normal_form(name) == form]
                return exact or self._names[form]
        return []


def _forms(text: str) -> Iterator[str]:
    path = text.replace("\\", "/")
    for form in (text, path):
        yield form
        yield without_suffix(form)
    if without_suffix(path) != path:  # a file's path; what has no ending is an id, whose source counts
        yield without_suffix(path.rpartition("/")[2])


def existing(path: Path) -> Path | None:
    """The file or folder of this name, or the one beside it whose name has the same normal form; None without."""
    if os.path.exists(path):  # noqa: PTH110  (Path.exists raises for names that are too long)
        return path
    wanted = normal_form(path.name)
    if wanted.isascii() or not os.path.isdir(path.parent):  # noqa: PTH112
        return None
    return next((entry for entry in path.parent.iterdir() if normal_form(entry.name) == wanted), None)


def file_below(folder: Path, text: str) -> Path:
    """The file that a table in `folder` names, relative to it or absolute.

    Backslashes separate folders too; of a path from another machine its last parts count, as many as lead to a file.
    Returns the plain path where there is no such file.
    """
    plain = folder / text
    slashed = text.replace("\\", "/")
    texts = [text, slashed]
    if _FOREIGN_ROOT.match(slashed):
        parts = slashed.split("/")[1:]
        texts += ["/".join(parts[start:]) for start in range(len(parts))]
    return next((found for each in texts if (found := existing(folder / each)) is not None), plain)
