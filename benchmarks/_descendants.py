"""What the processes below this one take, which end before they can be asked (Linux)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from benchmarks._process import peak_bytes

EVERY = 0.1
"""Seconds between two looks: what a process takes in its last moments is not seen."""


class Taken(NamedTuple):
    """By one process: the last title that it gave itself, processor seconds, and the most memory that it held."""

    title: str
    seconds: float
    bytes: int


@contextlib.contextmanager
def descendants() -> Iterator[dict[int, Taken]]:
    """Within the block the processes that this one, or one of them, has started, by their numbers."""
    seen: dict[int, Taken] = {}
    over = Event()

    def watch() -> None:
        while not over.wait(EVERY):
            _look(seen)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _look(seen: dict[int, Taken]) -> None:
    parents = _parents()
    for process in parents:
        if not _is_below(process, parents):
            continue
        with contextlib.suppress(OSError, RuntimeError):  # it has ended meanwhile
            title = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            seen[process] = Taken(title, _processor_seconds(process), peak_bytes(process))


def _parents() -> dict[int, int]:
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                parents[int(folder.name)] = int(_stat(int(folder.name))[1])
    return parents


def _is_below(process: int, parents: Mapping[int, int]) -> bool:
    while (process := parents.get(process, 0)) > 1:
        if process == os.getpid():
            return True
    return False


def _processor_seconds(process: int) -> float:
    fields = _stat(process)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _stat(process: int) -> list[str]:
    """The fields behind the name, which may hold blanks: state, parent, …"""
    return Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
