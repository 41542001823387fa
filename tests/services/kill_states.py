"""What a kill at any write of a run would leave on the disk: copies of its folder around each write and removal.

Files are put in place by renaming, so that a copy may share those that are never written in place.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_RANDOM = re.compile(r"\.[a-z0-9_]{8}(?=\.|$)")


class KillStates:
    """Copies of the folder `run`, below `copies`; `moments` says of each, in order, what was just going to happen."""

    def __init__(self, run: Path, copies: Path):
        self.run = run
        self.copies = copies
        self.moments: list[str] = []

    def take(self, moment: str, path: Path) -> None:
        path = Path(path)
        if self.run not in path.parents:
            return
        shutil.copytree(self.run, self.copies / str(len(self.moments)), copy_function=_shared, symlinks=True)
        name = _RANDOM.sub("", path.relative_to(self.run).as_posix(), count=1)
        self.moments.append(f"{moment} {name}")

    def at(self, moment: str) -> list[int]:
        """The numbers of the states of which this pattern says the moment."""
        return [number for number, each in enumerate(self.moments) if re.fullmatch(moment, each)]

    def restored(self, number: int, out: Path) -> Path:
        """A fresh copy of one state at `out`."""
        return Path(shutil.copytree(self.copies / str(number), out, symlinks=True))


def _shared(source: str, target: str) -> None:
    name = Path(source).name
    if name.startswith((".", "events.")):  # written in place
        shutil.copy2(source, target)
    else:
        os.link(source, target)


@contextmanager
def kill_states(run: Path, copies: Path) -> Iterator[KillStates]:
    """Take a copy wherever a kill could come: a temporary made, written and renamed, a file removed."""
    states = KillStates(run, copies)
    make, replace, unlink = tempfile.mkstemp, Path.replace, Path.unlink

    def made(*arguments: Any, **options: Any) -> tuple[int, str]:
        handle, name = make(*arguments, **options)
        states.take("made", Path(name))
        return handle, name

    def replaced(self: Path, target: Path) -> Path:
        states.take("written", self)
        renamed = replace(self, target)
        states.take("renamed", target)
        return renamed

    def unlinked(self: Path, missing_ok: bool = False) -> None:
        there = self.exists()
        unlink(self, missing_ok=missing_ok)
        if there:
            states.take("removed", self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "mkstemp", made)
        patch.setattr(Path, "replace", replaced)
        patch.setattr(Path, "unlink", unlinked)
        yield states
