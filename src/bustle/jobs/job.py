"""A job as its rows in the database tell of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from bustle.jobs.stage import PlainValues

JobState = Literal["waiting", "running", "done", "failed"]

ENDED_TOO_OFTEN = "its process ended in the middle of it too often"

_LIST = re.compile(r"[a-z0-9_-]{1,100}")
_JOB = re.compile(r"[\w.#+=-]{1,200}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Job:
    """`stage` is the one that it is in, or that it ended with; `attempt` counts that stage's attempts from 1.

    `reason` says why it failed, or why its last attempt was postponed. `results` are those of the finished stages.
    """

    id: str
    state: JobState
    stage: str
    attempt: int
    reason: str | None
    submitted: PlainValues
    results: Mapping[str, PlainValues]
    begun: datetime
    changed: datetime


class RowName(NamedTuple):
    """The key of one attempt at one stage; with a `list`, the name under which jobs of one kind are kept."""

    list: str
    job: str
    stage: str
    attempt: int

    @classmethod
    def read(cls, text: str) -> RowName:
        list_name, job, stage, attempt = text.split("/")
        return cls(list_name, job, stage, int(attempt))

    def __str__(self) -> str:
        return f"{self.list}/{self.job}/{self.stage}/{self.attempt}"

    @property
    def queue(self) -> str:
        return f"{self.list}/{self.stage}"


def check_list_name(name: str) -> None:
    """Raises `ValueError` for what cannot name a list of jobs."""
    if not _LIST.fullmatch(name):
        raise ValueError(f"'{name[:80]}' must be up to 100 small letters, digits, _ and -")


def check_job_id(job_id: str) -> None:
    """Raises `ValueError` for what cannot name a job."""
    if not _JOB.fullmatch(job_id):
        raise ValueError(f"'{job_id[:80]}' must be up to 200 letters, digits and . _ # + = -")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One attempt. `outcome` is what its stage's function came to; None while there is none."""

    name: RowName
    state: Literal["waiting", "running", "ended", "given up"]
    submitted: PlainValues
    results: Mapping[str, PlainValues]
    outcome: PlainValues | None
    begun: datetime
    changed: datetime


def job_of_rows(rows: Iterable[Row], *, stages: tuple[str, ...]) -> Job:
    """The job whose attempts these are, of which the furthest tells its state."""
    ordered = sorted(rows, key=lambda row: (stages.index(row.name.stage), row.name.attempt))
    last = ordered[-1]
    results, state, reason = dict(last.results), _state(last), None
    outcome = last.outcome or {}
    if state == "done":
        results[last.name.stage] = outcome["result"]
    elif state == "failed":
        reason = outcome.get("reason", ENDED_TOO_OFTEN)
    elif len(ordered) > 1 and ordered[-2].outcome is not None:
        reason = ordered[-2].outcome.get("reason")
    return Job(
        id=last.name.job,
        state=state,
        stage=last.name.stage,
        attempt=last.name.attempt,
        reason=reason,
        submitted=last.submitted,
        results=results,
        begun=ordered[0].begun,
        changed=last.changed,
    )


def _state(row: Row) -> JobState:
    if row.state in ("waiting", "running"):
        return row.state
    if row.outcome is None or row.state == "given up":
        return "failed"
    outcome: JobState = "done" if row.outcome["state"] == "done" else "failed"
    return "waiting" if row.outcome["state"] == "postponed" else outcome  # its next attempt is about to be written
