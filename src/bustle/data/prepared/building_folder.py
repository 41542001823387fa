"""The folder in which a cache is built before it is put in place, and the removal of those of killed processes."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bustle.core.file_lock import FileLock

_PREFIX = ".preparing-"
_LOCK = "lock"
_YOUNG = 5.0
"""Seconds in which a folder is left alone: its process may not have locked it yet."""


@contextlib.contextmanager
def building_folder(root: Path) -> Iterator[Path]:
    """A folder of a name of its own in `root`, which is removed at the end.

    Those that killed processes left are removed first. Raises OSError where it cannot be made.
    """
    remove_abandoned(root)
    with tempfile.TemporaryDirectory(dir=root, prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        lock = FileLock(Path(name) / _LOCK)
        lock.take()
        try:
            yield Path(name)
        finally:
            lock.release(remove=False)


def put_in_place(built: Path, folder: Path, *, spare: Path) -> None:
    """Rename `built` to `folder`, moving an older one (damaged, or another process's) into `spare`."""
    for attempt in range(10):
        with contextlib.suppress(FileNotFoundError):
            folder.rename(spare / f"old-{attempt}")
        try:
            built.rename(folder)
        except OSError:  # another process was quicker after the older one had moved
            if not folder.exists():
                raise
        else:
            return
    raise FileExistsError(17, "other processes keep replacing the cache", str(folder))


def remove_abandoned(root: Path) -> None:
    """Remove the folders whose lock nobody holds; it is in nobody's way where that is not possible."""
    for folder in root.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - (folder / _LOCK).stat().st_mtime < _YOUNG:
                continue
            lock = FileLock(folder / _LOCK)
            answer = lock.take()
            if answer == "busy":
                continue
            lock.release(remove=False)
            if answer == "taken":
                shutil.rmtree(folder, ignore_errors=True)
