"""A lock that the operating system holds for a process, and lets go of when the process ends, however it ends."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from bustle.core.files import write_error

NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL})
"""What a file system without locks answers, as some network and FUSE ones do."""

_TAKEN = frozenset({errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK})
_FAR_AWAY = 1 << 30
"""The byte that is locked on Windows, where a locked byte cannot be read: behind whatever the file holds."""
_LOOK_AGAIN = 0.05
"""Seconds; the system's own way of waiting does not see that the file was removed."""


class FileLock:
    """An exclusive lock on the file `path`, which is made where it is missing; its folder must be there.

    Nothing in the file says who holds it: a file that a killed process left is free.
    """

    def __init__(self, path: Path):
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> Literal["taken", "busy", "no locks"]:
        """Lock at once or not at all: `busy` where another holds it; raises OSError for a file that cannot be made.

        `no locks`: the file system has none, and the file is there without one.
        """
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(descriptor)
            except OSError as error:
                if error.errno in _TAKEN:
                    os.close(descriptor)
                    return "busy"
                if error.errno not in NO_LOCKS:
                    os.close(descriptor)
                    raise
                self._descriptor = descriptor
                return "no locks"
            if _is_still(self.path, descriptor):
                self._descriptor = descriptor
                return "taken"
            os.close(descriptor)  # whoever held it has removed the file meanwhile

    def read(self) -> str:
        """What the file says; only while it is held."""
        assert self._descriptor is not None
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.read(self._descriptor, 1000).decode("utf-8", errors="replace")

    def write(self, text: str) -> None:
        """Replace what the file says; only while it is held."""
        assert self._descriptor is not None
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, text.encode("utf-8"))

    def release(self, *, remove: bool) -> None:
        """Let go, and remove the file if asked to, while nobody else can hold it."""
        assert self._descriptor is not None
        with contextlib.suppress(OSError):  # a file that stays is free all the same
            if remove:
                self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None
        with contextlib.suppress(OSError):
            if remove and sys.platform == "win32":  # where an open file cannot be removed
                self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the lock on the file `path` for the block, which begins when no other process or thread holds it.

    The file is removed again. A file system without locks keeps nobody out. Raises `InputError` for a file that
    cannot be made.
    """
    lock = FileLock(path)
    try:
        while lock.take() == "busy":
            time.sleep(_LOOK_AGAIN)
    except OSError as error:
        raise write_error(path, error) from error
    try:
        yield
    finally:
        lock.release(remove=True)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR_AWAY, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
