"""What a job is made of: stages, each a function that may be called again after it was cut short."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bustle.core.errors import BustleError

PlainValues = Mapping[str, Any]
"""What JSON holds: text, numbers, booleans, None, lists and mappings of these."""


class PostponedError(BustleError):
    """Nothing is wrong with the job, but the world is not ready for it: an archive is away, a disk is full.

    The message is shown to people: it carries no patient's data.
    """


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often a stage is tried, and how long is waited in between: `first_wait` seconds, each time `growth` longer.

    The default gives up after 21 hours. A job that a person has tried again has as many attempts anew.
    """

    attempts: int = 30
    first_wait: float = 10.0
    growth: float = 2.0
    longest_wait: float = 3600.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_wait < 0 or self.growth < 1 or self.longest_wait < self.first_wait:
            raise ValueError("attempts must be 1 or more, waits 0 or more, growth 1 or more")

    def wait_after(self, attempt: int) -> float:
        """Seconds between the end of this attempt, counted from 1, and the next."""
        before = (attempt - 1) % self.attempts
        return min(self.longest_wait, self.first_wait * self.growth ** min(before, 100))

    def ends_with(self, attempt: int) -> bool:
        """Whether no other attempt follows this one by itself."""
        return attempt % self.attempts == 0


@dataclass(frozen=True, kw_only=True)
class JobInHand:
    """What a stage's function is given: the job's id, what was submitted, and the results of the stages before."""

    id: str
    submitted: PlainValues
    results: Mapping[str, PlainValues] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One step of a job. `work` returns the stage's result; `at_once` jobs at most are in this stage at a time.

    `work` is called again from its start after its process was killed: what it does twice must be as if done once.
    It raises `InputError` for what no other attempt mends, which ends the job, and anything else, best
    `PostponedError`, for what may go well later.
    """

    name: str
    work: Callable[[JobInHand], PlainValues]
    at_once: int = 1
    patience: Patience = Patience()

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.at_once < 1:
            raise ValueError("a stage has a name of letters and digits, and at least one job at once")
