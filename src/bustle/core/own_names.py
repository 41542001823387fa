"""What a command leaves in a folder, by name: so that nothing else there is ever overwritten or removed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from bustle.core.files import remove_file
from bustle.core.temporaries import is_temporary

LOCK = ".bustle-lock"
"""Held while a command works in a folder; it bears the command's name until its work there is complete."""

_OF_THE_SYSTEM = frozenset({LOCK, ".DS_Store", ".directory", "Thumbs.db", "desktop.ini", "lost+found"})
"""Nobody's content: a folder that holds only these is empty."""


@dataclass(frozen=True)
class OwnNames:
    """Patterns of names in a folder: of files, and of folders with what they may hold in turn.

    `signed_by`: files of which one must be there, because the other names could be anybody's.
    """

    files: tuple[str, ...] = ()
    folders: Mapping[str, OwnNames] = field(default_factory=dict)
    signed_by: tuple[str, ...] = ()

    def foreign(self, folder: Path, *, signed: bool = False) -> Iterator[Path]:
        """Everything in the folder that is not the command's; `signed`: it is known to be, without a signature."""
        entries = entries_of(folder)
        names = {entry.name for entry in entries}
        files = [entry.name for entry in entries if not _is_folder(entry)]
        if files and self.signed_by and not signed and not names & set(self.signed_by):
            yield from (folder / name for name in sorted(names))
            return
        for entry in entries:
            inner = self._inner(entry.name) if _is_folder(entry) else None
            if inner is not None:
                yield from inner.foreign(Path(entry.path))
            elif _is_folder(entry) or not self._has_file(entry.name):
                yield Path(entry.path)

    def remove(self, folder: Path, *, keep: Collection[Path] = ()) -> None:
        """Remove the command's files, the signature first, and what folders are empty then.

        Whatever is at or below a path of `keep` stays. Raises `InputError` for what may not be removed.
        """
        for name in self.signed_by:
            if folder / name not in keep:
                remove_file(folder / name)
        for entry in entries_of(folder):
            path = Path(entry.path)
            if path in keep:
                continue
            inner = self._inner(entry.name) if _is_folder(entry) else None
            if inner is not None:
                inner.remove(path, keep=keep)
                with contextlib.suppress(OSError):  # something is in it that stays
                    path.rmdir()
            elif not _is_folder(entry) and self._has_file(entry.name):
                remove_file(path)

    def _has_file(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.files)

    def _inner(self, name: str) -> OwnNames | None:
        return next((inner for pattern, inner in self.folders.items() if fnmatchcase(name, pattern)), None)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """A link to a folder is none: what it leads to is not the command's."""
    return entry.is_dir(follow_symlinks=False)


def entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, by name, but for the system's own files and the temporaries of killed writers."""
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if entry.name not in _OF_THE_SYSTEM and not is_temporary(entry.name)]
    return sorted(found, key=lambda entry: entry.name)
