"""Memory maps of files that other programs could touch: looked at before every use.

A page of a map behind the end of its file ends the process (SIGBUS), and a file that is overwritten gives other
values. Both change what the file system says of the file, which costs a microsecond to ask.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from pathlib import Path

from bustle.core.errors import InputError


class MappedFiles:
    """Files that are mapped, as they are now; held open, so that a file put in their place is none of them."""

    def __init__(self, paths: Iterable[Path]):
        self._files = {path: os.open(path, os.O_RDONLY) for path in paths}
        self._states = {path: _state(descriptor) for path, descriptor in self._files.items()}
        weakref.finalize(self, _close, tuple(self._files.values()))

    def check(self) -> None:
        """Raises `InputError` where one was cut off or written to since."""
        for path, descriptor in self._files.items():
            if _state(descriptor) != self._states[path]:
                raise InputError(
                    "was changed while it was in use",
                    remedy="keep other programs away from it and run the command again, a training with --resume",
                    path=path,
                )


def _state(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_size, status.st_mtime_ns


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
