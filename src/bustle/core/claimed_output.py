"""One writer for each output: a folder or a file belongs to one command from its checks to its end.

A folder is locked by a file in it, a file by one beside it. The rule for what is there already is the same for every
command: temporaries of killed writers are swept; what is not the command's own makes it refuse; what an earlier call
of it left, it removes before it writes anything, or keeps, as the command says. A folder whose files do not yet tell
whose they are keeps the lock file of an interrupted command, with its name in it and free to be locked again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.file_lock import FileLock
from bustle.core.files import write_error
from bustle.core.own_names import LOCK, OwnNames, entries_of
from bustle.core.progress import announce
from bustle.core.temporaries import sweep_temporaries, sweep_temporaries_of


@dataclass(frozen=True)
class OutputKind:
    """The output of one `command` (such as "evaluate") in a folder, `noun` for people (such as "an evaluation")."""

    command: str
    noun: str
    names: OwnNames


class ClaimedFolder:
    """A folder that this process alone writes into; made by `claim_folder`."""

    def __init__(self, path: Path, kind: OutputKind, *, lock: FileLock, begun_by: str):
        self.path = path
        self.kind = kind
        self._lock = lock
        self._begun_by = begun_by
        self.begun = False
        """Whether this call has begun to write."""

    @property
    def is_empty(self) -> bool:
        return not entries_of(self.path)

    def refuse_foreign(self) -> None:
        """Raises `InputError` where the folder holds anything but what an earlier call of the command left."""
        if self._begun_by not in ("", self.kind.command):
            raise InputError(
                f"holds what `bustle {self._begun_by}` has begun",
                remedy="finish that, or choose another --out",
                path=self.path,
            )
        foreign = next(self.kind.names.foreign(self.path, signed=bool(self._begun_by)), None)
        if foreign is not None:
            raise InputError(
                f"holds {foreign.relative_to(self.path)}, which is not of {self.kind.noun} of an earlier call",
                remedy="choose a new or empty folder for --out",
                path=self.path,
            )

    def refuse_inputs(self, files: Iterable[Path]) -> None:
        """Raises `InputError` where one of the `files` (or folders) lies in this folder, through links too."""
        refuse_inputs(self.path, files)

    def begin(self, *, clear: bool, keep: Collection[Path] = ()) -> None:
        """To be called before the first file is written: from here on the folder is unfinished.

        `clear` removes what earlier calls of the command left, but for what is at or below a path of `keep`.
        """
        self.begun = True
        try:
            self._lock.write(self.kind.command)
        except OSError as error:
            raise write_error(self.path, error) from error
        if clear:
            self.kind.names.remove(self.path, keep=keep)


@contextlib.contextmanager
def claim_folder(folder: Path, kind: OutputKind) -> Iterator[ClaimedFolder]:
    """Lock a folder for the block, and make it where it is missing; one that stays empty is not left behind.

    Raises `InputError` for a folder that cannot be written to, or that another command is writing into.
    """
    folder = Path(folder)
    made = _missing_folders(folder)
    lock = FileLock(folder / LOCK)
    begun = finished = False
    begun_by = ""
    try:
        _take(lock, out=folder)
        try:
            begun_by = lock.read()
            sweep_temporaries(folder)
            claim = ClaimedFolder(folder, kind, lock=lock, begun_by=begun_by)
            try:
                yield claim
                finished = True
            finally:
                begun = claim.begun
        finally:
            lock.release(remove=finished or _is_known(folder, kind) if begun else begun_by == "")
    finally:
        _remove_empty(made)


@contextlib.contextmanager
def claim_file(path: Path, *, is_own: Callable[[Path], bool] | None = None, noun: str = "") -> Iterator[Path]:
    """Lock a file, or a folder that is put in place at once, for the block.

    Raises `InputError` for what is there already unless `is_own` knows it for `noun`, where it is given; for a folder
    that cannot be written to; and where another command is writing the same.
    """
    path = Path(path)
    made = _missing_folders(path.parent)
    lock = FileLock(path.with_name(f".{path.name[:100]}{LOCK}"))
    try:
        _take(lock, out=path)
        try:
            sweep_temporaries_of(path)
            if is_own is not None and path.exists() and not is_own(path):
                raise InputError(
                    f"is not {noun}, which would be replaced", remedy="choose another name for the output", path=path
                )
            yield path
        finally:
            lock.release(remove=True)
    finally:
        _remove_empty(made)


def refuse_inputs(folder: Path, files: Iterable[Path]) -> None:
    """Raises `InputError` where one of the `files` (or folders) is `folder` or lies in it, through links too."""
    try:
        own = folder.stat()
    except OSError:
        return  # what is not there holds nothing
    inside: dict[Path, bool] = {}

    def is_inside(path: Path) -> bool:
        """Whether a folder is the output folder, or below it."""
        if path not in inside:
            same = _same(path, own)
            inside[path] = same or (path != path.parent and is_inside(path.parent))
        return inside[path]

    for file in files:
        resolved = file.resolve()
        if _same(resolved, own) or is_inside(resolved.parent) or is_inside(file.absolute().parent):
            raise InputError(
                f"lies in the folder {folder} that is to be written", remedy="choose another --out", path=file
            )


def _same(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), status)
    except OSError:
        return False


def _missing_folders(folder: Path) -> list[Path]:
    """The folder and those above it that are not there, the innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _is_known(folder: Path, kind: OutputKind) -> bool:
    """Whether a later call finds, without the lock file, whose output it is."""
    try:
        return next(kind.names.foreign(folder), None) is None
    except OSError:
        return True


def _remove_empty(folders: Iterable[Path]) -> None:
    with contextlib.suppress(OSError):  # not empty, or gone already
        for path in folders:
            path.rmdir()


def _take(lock: FileLock, *, out: Path) -> None:
    for _ in range(100):
        try:
            lock.path.parent.mkdir(parents=True, exist_ok=True)
            taken = lock.take()
        except FileNotFoundError:  # another command has ended and removed the empty folder just now
            continue
        except OSError as error:
            raise write_error(out, error) from error
        if taken == "busy":
            raise InputError(
                "another bustle command is writing there",
                remedy="wait until it has ended, or choose another --out",
                path=out,
            )
        if taken == "no locks":
            announce(f"bustle: warning: {out}: this file system has no locks; let no other command write there")
        return
    raise InputError("keeps being removed", remedy="choose another --out", path=out)
