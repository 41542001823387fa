"""Paths as a person gives them, to a command, a function or an environment variable."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from bustle.core.errors import InputError


def given_path(text: str | Path) -> Path:
    """The path that a person means: `~` and `~name` at its start are home folders, also where no shell expands them.

    Where there is no such home, the path is left as it was given. Raises `InputError` for what no file system takes
    as a path: whether it exists may be asked without another error afterwards.
    """
    path = Path(text)
    with contextlib.suppress(RuntimeError):
        path = path.expanduser()
    try:
        os.lstat(path)
    except ValueError:  # a null character
        raise InputError("cannot be a path", remedy="check its characters", path=path) from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InputError("is too long for a path", remedy="use a shorter one", path=path) from None
    return path


def is_file(path: Path) -> bool:
    """Whether a path that stands in a file of others leads to a file; of no name at all it says no."""
    return os.path.isfile(path)  # noqa: PTH113  (Path.is_file raises for names that are too long)
