"""How often somebody may try to sign in: whoever guesses waits longer and longer."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock


@dataclass
class _Failures:
    count: int
    last: float


class LoginLimits:
    """Failures by whatever they are counted for, such as an account's name and an address; `clock` is in seconds.

    After `free` of them each further try has to wait, a second first and then twice as long each time, up to
    `longest` seconds: a person who was locked out by somebody else's guesses gets in again soon. A time `longest`
    without any forgets them.
    """

    def __init__(
        self,
        *,
        free: int = 5,
        longest: float = 900.0,
        most: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._free, self._longest, self._most, self._clock = free, longest, most, clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._lock = Lock()

    def wait(self, *keys: str) -> float:
        """Seconds until the next try is allowed; 0 where it is now."""
        with self._lock:
            now = self._clock()
            return max((self._wait(self._failures.get(key), now) for key in keys), default=0.0)

    def failed(self, *keys: str) -> None:
        with self._lock:
            now = self._clock()
            for key in keys:
                before = self._failures.pop(key, None)
                known = before is not None and now - before.last < self._longest
                self._failures[key] = _Failures(before.count + 1 if before is not None and known else 1, now)
            while len(self._failures) > self._most:
                self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        with self._lock:
            self._failures.pop(key, None)

    def _wait(self, failures: _Failures | None, now: float) -> float:
        if failures is None or failures.count < self._free:
            return 0.0
        pause = min(self._longest, 2.0 ** min(failures.count - self._free, 20))
        return max(0.0, failures.last + pause - now)
