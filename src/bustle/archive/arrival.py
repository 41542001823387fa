"""How much may come from an address, and how long it may take: one answer fills no disk and holds nothing up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from bustle.core.errors import InputError

MOST_BYTES = 2_000_000_000
MOST_SECONDS = 300.0
MOST_SILENT_SECONDS = 60.0
"""So long nothing may arrive."""


class Arrival:
    """What has arrived of one file; every method raises `InputError` beyond the limits."""

    def __init__(self) -> None:
        self._bytes = 0
        self._began = self._heard = time.monotonic()

    def announced(self, size: int | None) -> None:
        """The sender has said how many bytes will come, or nothing about it."""
        if size is not None and size > MOST_BYTES:
            raise InputError(
                f"the file is larger than {MOST_BYTES / 1e6:g} MB", remedy="fetch it yourself and list it as a path"
            )

    def took(self, size: int) -> None:
        """So many bytes more are here."""
        self._bytes += size
        self.announced(self._bytes)
        self.check_time()
        self._heard = time.monotonic()

    def check_time(self) -> None:
        now = time.monotonic()
        if now >= self._began + MOST_SECONDS:
            problem = f"the file has not come within {MOST_SECONDS:g} s"
        elif now >= self._heard + MOST_SILENT_SECONDS:
            problem = f"the server sends nothing for {MOST_SILENT_SECONDS:g} s"
        else:
            return
        raise InputError(problem, remedy="check the server and run with --resume")

    @property
    def seconds_left(self) -> float:
        return min(self._began + MOST_SECONDS, self._heard + MOST_SILENT_SECONDS) - time.monotonic()


def within_limits(fetch: Callable[[Arrival], None]) -> None:
    """Do `fetch`, which tells of what arrives. Raises what it raises, and `InputError` beyond the limits.

    No library can be asked to stop in the middle, so it has a thread, which is left to itself when its time is over:
    it ends with the next bytes, or when the library gives up.
    """
    arrival = Arrival()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            fetch(arrival)
        except BaseException as error:  # raised again where it is waited for
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(max(0.0, arrival.seconds_left))
        if thread.is_alive():
            arrival.check_time()
    if failed:
        raise failed[0]
