"""Output that never ends a command: what cannot be shown is escaped, what cannot be written is told at the end.

Standard output or standard error may be closed (`2>&-`), full (`> /dev/full`), left by its reader (`| head`), or in
an encoding without the characters of a name. The work that is being told about goes on whatever happens to its text.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from bustle.core.printable import printable_lines


class LastingStream:
    """A text stream in front of `stream` that takes every text; after the first `failure` it writes nothing more.

    `escaping`: control characters are shown as their escapes, so that no name in the text steers a terminal.
    """

    def __init__(self, stream: TextIO, *, escaping: bool) -> None:
        self.stream = stream
        self.escaping = escaping
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        if self.failure is None:
            try:
                self.stream.write(self._encodable(printable_lines(text) if self.escaping else text))
            except OSError as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        if self.failure is None:
            try:
                self.stream.flush()
            except OSError as error:
                self._give_up(error)

    def _encodable(self, text: str) -> str:
        encoding = self.stream.encoding or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)

    def _give_up(self, error: OSError) -> None:
        """What the stream still holds would fail again when the interpreter ends: it goes nowhere instead."""
        self.failure = error
        with contextlib.suppress(OSError, ValueError):  # not every stream has a descriptor
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def lasting_output() -> Iterator[LastingStream]:
    """Within the block, standard output (which is yielded) and standard error last."""
    _open_closed_descriptors()
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123  (the null device is no path of anybody)
        out = LastingStream(sys.stdout or nowhere, escaping=True)
        errors = LastingStream(sys.stderr or nowhere, escaping=False)  # progress bars move the cursor
        sys.stdout, sys.stderr = out, errors  # type: ignore[assignment]
        try:
            yield out
        finally:
            out.flush()
            errors.flush()
            sys.stdout, sys.stderr = before


def _open_closed_descriptors() -> None:
    """Standard descriptors that are closed would be given to the next file opened, and messages written into it."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
