"""Errors that a person can act on.

The command line prints an `InputError` as one line and ends with exit code 2; everything else is a bug (exit
code 1).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from bustle.core.printable import printable

LONGEST_PROBLEM = 600
"""Characters: what strangers put into a name or a number may be a megabyte."""

LISTED = 40
"""So many known names still make a line that a person reads."""


class BustleError(Exception):
    """Base of every error that bustle raises on purpose."""


class InputError(BustleError):
    """The user's input is wrong: names what is wrong, where, and what to do about it.

    `problem` and `remedy` are phrases without a final full stop; `path` is the file or folder at fault.
    """

    def __init__(self, problem: str, *, remedy: str, path: Path | str | None = None):
        self.problem = problem
        self.remedy = remedy
        self.path = None if path is None else Path(path)
        super().__init__(problem, remedy)

    def __reduce__(self) -> tuple[Any, ...]:
        """Other processes raise it, too."""
        return partial(type(self), self.problem, remedy=self.remedy, path=self.path), ()

    def in_results(self) -> str:
        """The same line with the file's name alone, for what is written: it may be given to others."""
        return self._line(None if self.path is None else self.path.name)

    def __str__(self) -> str:
        return self._line(self.path)

    def _line(self, place: Path | str | None) -> str:
        where = "" if place is None else f"{place}: "
        text = f"{where}{_shortened(self.problem)}; {self.remedy}"
        return printable(" ".join(text.split()))


class TrainingInterruptedError(InputError):
    """A person stopped a training, which is nothing that it failed at."""


class ArrayError(InputError, ValueError):
    """An array that a program gave is not what was asked for: a `ValueError`, as NumPy's users expect."""


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_PROBLEM else f"{text[: LONGEST_PROBLEM // 2]} … {text[-100:]}"


def unknown_name(kind: str, name: str, known: Iterable[str], *, path: Path | str | None = None) -> InputError:
    """An `InputError` for a name that does not exist, listing the nearest known names first."""
    known = sorted(known)
    nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    listed = ", ".join(known[:LISTED]) + (f", … ({len(known)} in all)" if len(known) > LISTED else "")
    remedy = f"did you mean {' or '.join(nearest)}? Known: {listed}" if nearest else f"known: {listed or 'none'}"
    return InputError(f"unknown {kind} '{name}'", remedy=remedy, path=path)
