"""Writing files so that a killed process or a full disk never leaves a half-written one behind."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError
from bustle.core.temporaries import temporary_affixes

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def check_regular(path: Path) -> os.stat_result:
    """The status of a regular file, where links lead to; to be called before a file is opened by its name.

    Anything else could be read for ever. Raises OSError for it, as `stat` does for what cannot be reached.
    """
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))
    return status


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; it replaces `path` only when the block succeeds.

    Raises `InputError` when the folder cannot be written to or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix, suffix = temporary_affixes(path.name)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


_reading_umask = threading.Lock()


def _umask() -> int:
    """It can only be read by setting it: one thread at a time, and to one that lets nobody else in meanwhile."""
    with _reading_umask:
        current = os.umask(0o077)
        os.umask(current)
    return current


def write_error(path: Path, error: OSError) -> InputError:
    """The `InputError` that tells a person why `path` could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError("no space left on the disk", remedy="free some space and run the command again", path=path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InputError("cannot be written", remedy="choose a folder that you may write to", path=path)
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return InputError("a file is in the way of this folder", remedy="choose another folder", path=path)
    return InputError(f"cannot be written ({error.strerror})", remedy="check the disk and the path", path=path)


def read_error(path: Path, error: OSError) -> InputError:
    """The `InputError` for a file that is absent, or there and cannot be read: what is in it may be good."""
    if isinstance(error, FileNotFoundError):
        return InputError("no such file", remedy="check the path", path=path)
    remedy = "give a file" if path.is_dir() else "allow reading it, or restore it"
    return InputError(f"cannot be read ({error.strerror or error})", remedy=remedy, path=path)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8; the bytes of a file's name that are not UTF-8 become escapes, also JSON's own."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_bytes(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON; refuses NaN and infinity, which JSON does not have."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def compact_json(value: Any) -> str:
    """`value` as JSON on one line, which ends there; refuses NaN and infinity."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n"


def remove_file(path: Path) -> None:
    """Delete a file that may be absent; raises `InputError` where that is not allowed."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def read_json(path: Path) -> Any:
    path = Path(path)
    try:
        check_regular(path)
        text = path.read_text(encoding="utf-8")
        value = json.loads(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half of a pair is no character and cannot be written
        return value
    except OSError as error:
        raise read_error(path, error) from None
    except (ValueError, RecursionError) as error:  # no text, no JSON, or beyond all limits
        raise InputError(f"is not readable JSON ({error})", remedy="restore it or make it again", path=path) from None


def sha256_of_file(path: Path) -> str:
    """Raises OSError for what cannot be read, and for what is no regular file."""
    check_regular(path)
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
