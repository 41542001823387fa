"""Which files are DICOM, by their content: the files of a study often have no ending."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bustle.core.files import check_regular
from bustle.io.foreign_formats import format_of

START = 132
"""Bytes from a file's beginning that tell."""

DICOMDIR = "DICOMDIR"
"""The index of a medium: the files that it names lie in the folders beside it, where they are found."""

_OWN_ENDINGS = (".dcm", ".dicom")
_ENDINGS = (*_OWN_ENDINGS, ".ima", "")
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")
_LAST_FIRST_ELEMENT = 0x20


def is_dicom(path: Path) -> bool:
    """Whether the content is DICOM; without the usual preamble only where the name allows it. False for no file."""
    try:
        check_regular(path)
        with path.open("rb") as stream:
            start = stream.read(START)
    except OSError:
        return False
    return has_preamble(start) or (path.suffix.lower() in _ENDINGS and begins_as_data_set(start))


def is_meant_as_dicom(path: Path) -> bool:
    """Whether it is DICOM, or says so by its name: a damaged file of a study must not be passed over as no image."""
    return path.suffix.lower() in _OWN_ENDINGS or is_dicom(path)


def has_preamble(start: bytes) -> bool:
    return format_of(start) == "a DICOM file"


def begins_as_data_set(start: bytes) -> bool:
    """Whether the first element is one of the first that a data set without a preamble can begin with."""
    element = int.from_bytes(start[2:4], "little")
    return len(start) >= 16 and start[:2] in _FIRST_GROUPS and element <= _LAST_FIRST_ELEMENT and element != 3


def dicom_files(folder: Path) -> list[Path]:
    """What is meant as DICOM in `folder` and all folders below it, in the order of the paths.

    Hidden files and the index of a medium are left out, and so are folders that links lead to.
    """
    return [path for path in sorted(_files(folder)) if path.name.upper() != DICOMDIR and is_meant_as_dicom(path)]


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in names if not name.startswith("."))
