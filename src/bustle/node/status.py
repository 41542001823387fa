"""What a person who keeps a node asks of it: studies by state, what failed, whether answers drift."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bustle.jobs.job import Job
from bustle.node.answer_counts import count_answers, mark_of, read_kept_counts, studies_read
from bustle.node.drift import MonthOfDevice, months_of_devices
from bustle.node.node import counts_path, open_jobs
from bustle.node.read_study import READ
from bustle.node.settings import MB, NodeSettings

STATES = ("waiting to be read", "being read", "waiting to be sent", "being sent", "answered", "failed")


@dataclass(frozen=True, kw_only=True)
class TroubledJob:
    """A job that failed, or whose last attempt was postponed."""

    job: str
    stage: str
    attempt: int
    failed: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class UnreadPart:
    """An image or clip that is no part of its study's answer."""

    job: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """What a node has done and what is left to do.

    `studies` counts by state those that are not deleted yet; `months` tells of all that were ever read, and
    `deleted_failures` counts by reason what failed and is deleted. `unread` are parts of studies that are answered.
    `free_gb` (10^9 bytes) is what is free on the disk of its folder.
    """

    studies: Mapping[str, int]
    trouble: tuple[TroubledJob, ...]
    deleted_failures: Mapping[str, int]
    unread: tuple[UnreadPart, ...]
    months: tuple[MonthOfDevice, ...]
    free_gb: float
    accepts: bool


def node_status(settings: NodeSettings) -> NodeStatus:
    """Of a node that runs or not. Raises `InputError` for a database that cannot be used."""
    with open_jobs(settings) as jobs:
        found = list(jobs.list())
    kept = read_kept_counts(counts_path(settings))
    free = shutil.disk_usage(settings.data).free
    return NodeStatus(
        studies=_counted(found),
        trouble=tuple(_trouble(found)),
        deleted_failures=kept.failed,
        unread=tuple(
            UnreadPart(job=job.id, reason=reason) for job, read in studies_read(found) for reason in read.unread
        ),
        months=months_of_devices(
            count_answers((job for job in found if mark_of(job) not in kept.last), before=kept.counts),
            limits=settings.drift,
        ),
        free_gb=round(free / 1e9, 1),
        accepts=free >= settings.limits.free * MB,
    )


def _counted(jobs: Iterable[Job]) -> dict[str, int]:
    counts = Counter(map(state_of, jobs))
    return {state: counts[state] for state in STATES}


def state_of(job: Job) -> str:
    """One of `STATES`."""
    if job.state in ("done", "failed"):
        return {"done": "answered", "failed": "failed"}[job.state]
    verb = "read" if job.stage == READ else "sent"
    return f"waiting to be {verb}" if job.state == "waiting" else f"being {verb}"


def _trouble(jobs: Iterable[Job]) -> Iterator[TroubledJob]:
    for job in jobs:
        if job.reason is not None and job.state != "done":
            yield TroubledJob(
                job=job.id, stage=job.stage, attempt=job.attempt, failed=job.state == "failed", reason=job.reason
            )
