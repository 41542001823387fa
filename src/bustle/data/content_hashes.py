"""SHA-256 of data files, remembered beside the caches so that an unchanged file is read only once.

A file counts as unchanged while its size and its modification and change times are the same.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from bustle.core.cache_folder import cache_directory
from bustle.core.errors import InputError
from bustle.core.files import read_json, sha256_of_file, write_json

YOUNG_NS = 2_000_000_000
"""A file changed less than this ago may change again within the clock's resolution: it is not remembered."""


def content_hashes(files: Iterable[Path], *, directory: Path | None = None) -> dict[Path, str]:
    """The SHA-256 of every file; raises `InputError` for one that cannot be read."""
    index = (directory or cache_directory()) / "content-hashes.json"
    remembered = _read_index(index)
    hashes: dict[Path, str] = {}
    found = {}
    for file in dict.fromkeys(files):  # a table may belong to many cases
        try:
            status = file.stat()
            stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
            name = _key(file)
            if name in remembered and remembered[name][:3] == stamp:
                hashes[file] = remembered[name][3]
                continue
            hashes[file] = sha256_of_file(file)
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", remedy="check the file", path=file) from None
        if time.time_ns() - max(stamp[1:]) > YOUNG_NS:
            found[name] = [*stamp, hashes[file]]
    if found:
        with contextlib.suppress(InputError):  # not to remember costs time, nothing else
            write_json(index, _read_index(index) | found)
    return hashes


def _key(file: Path) -> str:
    """The absolute path as text that any file can hold, also where the name is not UTF-8."""
    absolute = os.path.abspath(file)  # noqa: PTH100  (resolving links takes ten times as long)
    return os.fsencode(absolute).decode("utf-8", errors="backslashreplace")


def _read_index(path: Path) -> dict[str, list]:
    """What is remembered; a damaged index is forgotten."""
    try:
        value = read_json(path)
    except InputError:
        return {}
    well_formed = isinstance(value, dict) and all(isinstance(v, list) and len(v) == 4 for v in value.values())
    return value if well_formed else {}
