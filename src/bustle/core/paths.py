"""Paths as a person gives them, to a command, a function or an environment variable."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path, PureWindowsPath

from bustle.core.errors import InputError

_ABSOLUTE = re.compile(r"(?P<start>.*?[:=])??(?P<path>(?:/|~|[A-Za-z]:[\\/])[^?]*)(?P<query>\?.*)?", re.DOTALL)

_STUDY = re.compile(r"(?P<start>(?:--[a-z-]+=)?dicom:)[^?]*(?P<query>\?.*)?", re.DOTALL)
"""A data spec of the reader `dicom`."""

_STUDIES: set[str] = set()
"""Words of this command that were seen to name studies."""

_DICOM_FILE = re.compile(r"(?P<start>--[a-z-]+=)?.*(?P<ending>\.(?:dcm|dicom))", re.DOTALL | re.IGNORECASE)


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


def place_in_results(path: Path) -> str:
    """A path as results tell it: below the working folder from there, else its own name.

    Where a person keeps things on this machine, and under which account, is nobody's whom the results are given to.
    """
    full, here = Path(os.path.abspath(path)), Path.cwd()  # noqa: PTH100  (resolving would follow links)
    return full.relative_to(here).as_posix() if full.is_relative_to(here) else full.name


def name_as_study(word: str) -> None:
    """What `word` names has turned out to be a study: `word_in_results` leaves its name out from now on."""
    _STUDIES.add(word)


def word_in_results(word: str) -> str:
    """A word of a command line, whose absolute paths (`/x`, `--out=/x`, `folder:/x?name=y`) become places.

    DICOM files and the folders of studies may be named after a patient: their names are left out.
    """
    if word in _STUDIES:
        return "…"
    study, file = _STUDY.fullmatch(word), _DICOM_FILE.fullmatch(word)
    if study is not None:
        return f"{study['start']}…{study['query'] or ''}"
    if file is not None:
        return f"{file['start'] or ''}…{file['ending']}"
    found = _ABSOLUTE.fullmatch(word)
    if found is None:
        return word
    path = found["path"]
    place = place_in_results(given_path(path)) if path[0] in "/~" else PureWindowsPath(path).name
    return f"{found['start'] or ''}{place}{found['query'] or ''}"


def is_file(path: Path) -> bool:
    """Whether a path that stands in a file of others leads to a file; of no name at all it says no."""
    return os.path.isfile(path)  # noqa: PTH113  (Path.is_file raises for names that are too long)
