"""What was received, on the disk: a folder for each study, a file for each instance, and nothing half written."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from bustle.core.errors import InputError
from bustle.core.files import write_bytes
from bustle.core.temporaries import sweep_temporaries
from bustle.node.settings import MB, Limits

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_SUFFIX = ".dcm"
_META_END = 132
_FULL = (errno.ENOSPC, errno.EDQUOT)

Kept = Literal["new", "known", "other content", "study too large"]


class DiskFullError(Exception):
    """There is no room for what came."""


def is_uid(text: str) -> bool:
    """Whether it may become the name of a file: digits and points, as the standard has it."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or what it was raised from, says that the disk is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False


class Incoming:
    """The folder `path`; of the `limits` it keeps `free` and `study`."""

    def __init__(self, path: Path, *, limits: Limits):
        self.path = path
        self._free = limits.free * MB
        self._largest_study = limits.study * MB
        self.turned_away = 0
        """How often there was no room for an instance since the start."""
        path.mkdir(parents=True, exist_ok=True)
        for study in self.studies():
            sweep_temporaries(path / study)

    def has_room(self, size: int) -> bool:
        """For an instance of so many bytes."""
        found = shutil.disk_usage(self.path).free - size >= self._free
        self.turned_away += not found
        return found

    def keep(self, content: bytes, *, study: str, instance: str) -> Kept:
        """Write a DICOM file, which is on the disk for good when this returns; the first of an identifier stays.

        Raises `DiskFullError`, and `InputError` where it cannot be written for another reason.
        """
        path = self.file(study, instance)
        if path.exists():
            return "known" if _same_data_set(path, content) else "other content"
        if self._size_of(study) + len(content) > self._largest_study:
            return "study too large"
        if not self.has_room(len(content)):
            raise DiskFullError
        is_first = not path.parent.exists()
        try:
            write_bytes(path, content)
        except InputError as error:
            if is_full(error):
                self.turned_away += 1
                raise DiskFullError from error
            raise
        _sync(path.parent)
        if is_first:
            _sync(self.path)
        return "new"

    def file(self, study: str, instance: str) -> Path:
        return self.path / study / f"{instance}{_SUFFIX}"

    def studies(self) -> Iterator[str]:
        yield from sorted(path.name for path in self.path.iterdir() if path.is_dir() and is_uid(path.name))

    def instances(self, study: str) -> tuple[str, ...]:
        """The identifiers of what is there of a study, in order."""
        folder = self.path / study
        found = folder.glob(f"*{_SUFFIX}") if folder.is_dir() else ()
        return tuple(sorted(path.stem for path in found if is_uid(path.stem)))

    def _size_of(self, study: str) -> int:
        """Bytes of what is there of a study, without what other senders' threads are writing just now."""
        size = 0
        with contextlib.suppress(FileNotFoundError), os.scandir(self.path / study) as entries:
            for entry in entries:
                if entry.name.endswith(_SUFFIX) and is_uid(entry.name.removesuffix(_SUFFIX)):
                    with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                        size += entry.stat().st_size
        return size

    def remove(self, study: str, instances: Iterable[str]) -> None:
        """Remove these instances of a study, and its folder unless something else has come."""
        for instance in instances:
            self.file(study, instance).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (self.path / study).rmdir()


def _same_data_set(path: Path, content: bytes) -> bool:
    """Two senders name themselves differently in the file's meta information; what follows it counts."""
    return _data_set(path.read_bytes()) == _data_set(content)


def _data_set(content: bytes) -> bytes:
    length = int.from_bytes(content[_META_END + 8 : _META_END + 12], "little")
    return content[_META_END + 12 + length :]


def _sync(folder: Path) -> None:
    """A file's name survives a power cut only when its folder is written, too."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
