"""What a person who keeps a node asks of it: studies by state, what failed, whether answers drift."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bustle.core.config import from_mapping
from bustle.jobs.job import Job
from bustle.node.drift import MonthOfDevice, months_of_devices
from bustle.node.node import open_jobs
from bustle.node.read_study import READ, PartRead, StudyRead
from bustle.node.settings import NodeSettings

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
class NodeStatus:
    """`studies` counts by state; `free_gb` is what is free on the disk of the node's folder (10^9 bytes)."""

    studies: Mapping[str, int]
    trouble: tuple[TroubledJob, ...]
    months: tuple[MonthOfDevice, ...]
    free_gb: float
    accepts: bool


def node_status(settings: NodeSettings) -> NodeStatus:
    """Of a node that runs or not. Raises `InputError` for a database that cannot be used."""
    with open_jobs(settings) as jobs:
        found = list(jobs.list())
    free = shutil.disk_usage(settings.data).free
    return NodeStatus(
        studies=_counted(found),
        trouble=tuple(_trouble(found)),
        months=months_of_devices(_parts(found), limits=settings.drift),
        free_gb=round(free / 1e9, 1),
        accepts=free >= settings.limits.free * 1_000_000,
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


def _parts(jobs: Iterable[Job]) -> Iterator[tuple[str, PartRead]]:
    for job in jobs:
        if READ in job.results:
            read = from_mapping(StudyRead, job.results[READ], where=f"job {job.id}")
            for part in read.parts:
                yield job.begun.strftime("%Y-%m"), part
