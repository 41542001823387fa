"""A lock for each thing that is being made: whoever asks for the same thing waits, and then finds it."""

from __future__ import annotations

from threading import Lock
from weakref import WeakValueDictionary


class NamedLocks:
    """There are as many as somebody holds or waits for."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, Lock] = WeakValueDictionary()
        self._guard = Lock()

    def of(self, name: str) -> Lock:
        with self._guard:
            return self._locks.setdefault(name, Lock())
