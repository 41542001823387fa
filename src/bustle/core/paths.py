"""Paths as a person gives them, to a command, a function or an environment variable."""

from __future__ import annotations

from pathlib import Path


def given_path(text: str | Path) -> Path:
    """The path that a person means: `~` and `~name` at its start are home folders, also where no shell expands them.

    Where there is no such home, the path is left as it was given.
    """
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:
        return path
