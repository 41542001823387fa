"""Where what is prepared once is kept: bustle's own caches, and those of libraries that find no folder of theirs."""

from __future__ import annotations

import os
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.paths import given_path

MATPLOTLIB_FOLDER = "MPLCONFIGDIR"


def cache_directory() -> Path:
    """Where prepared data is kept: `$BUSTLE_CACHE`, or `bustle` in `$XDG_CACHE_HOME` or else in `~/.cache`.

    Raises `InputError` for a user without a home folder who has set neither.
    """
    chosen = os.environ.get("BUSTLE_CACHE")
    if chosen:
        return given_path(chosen)
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))  # a relative one is to be ignored, says the XDG specification
    if shared.is_absolute():
        return shared / "bustle"
    try:
        return Path.home() / ".cache" / "bustle"
    except RuntimeError:
        raise InputError(
            "there is no home folder to keep prepared data in", remedy="name a folder with BUSTLE_CACHE=FOLDER"
        ) from None


def give_libraries_their_caches() -> None:
    """Where matplotlib cannot write in the home folder, it keeps its fonts in bustle's cache, or for this run only.

    For the command line, whose environment is its own: matplotlib would take a new folder at every start, and say so.
    """
    if os.environ.get(MATPLOTLIB_FOLDER) or all(map(_can_be_written, _folders_of_matplotlib())):
        return
    try:
        folder = cache_directory() / "matplotlib"
    except InputError:
        folder = None
    if folder is None or not _can_be_written(folder):
        import atexit  # here, because every start of the command comes by
        import shutil
        import tempfile

        folder = Path(tempfile.mkdtemp(prefix="bustle-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[MATPLOTLIB_FOLDER] = str(folder)


def _folders_of_matplotlib() -> list[Path]:
    """Its settings and its caches, where it looks by itself."""
    parts = {"XDG_CONFIG_HOME": ".config", "XDG_CACHE_HOME": ".cache"}
    return [
        Path(os.environ.get(variable) or os.path.expanduser(f"~/{part}"), "matplotlib")  # noqa: PTH111  (may stay `~`)
        for variable, part in parts.items()
    ]


def _can_be_written(folder: Path) -> bool:
    """Whether the folder, or the nearest one above it that exists, takes files of this user."""
    if not folder.is_absolute():
        return False
    existing = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
