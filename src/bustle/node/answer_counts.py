"""Answers counted by device and month, and the file that keeps the counts when jobs are deleted.

The counts name nobody and do not grow with the number of studies: a probability is counted by its thousandths, a
failure by its reason without names of files and numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bustle.core.config import from_mapping, to_mapping
from bustle.core.files import read_json, write_json
from bustle.jobs.job import Job
from bustle.node.read_study import READ, StudyRead

_FILE, _NUMBER = re.compile(r"^\S+\.dcm: "), re.compile(r"\d[\d.,]*")

UNKNOWN_DEVICE = "unknown device"
NO_DECISION = "no decision"


@dataclass(frozen=True, kw_only=True)
class AnswerCounts:
    """Of one device in one `month`, such as 2026-11: answers by decision, and by probability of malignant.

    `malignant` has a count for each probability, written with three decimals. A probability may be missing where
    there is a decision.
    """

    device: str
    month: str
    decisions: Mapping[str, int]
    malignant: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class KeptCounts:
    """The counts of jobs that are deleted; `failed` of those that failed, by their reasons.

    `last` are marks of those counted whose rows may be there yet.
    """

    counts: tuple[AnswerCounts, ...] = ()
    failed: Mapping[str, int] = field(default_factory=dict)
    last: tuple[str, ...] = ()


def read_kept_counts(path: Path) -> KeptCounts:
    """Raises `InputError` for a file that cannot be used."""
    return from_mapping(KeptCounts, read_json(path), where=path.name) if path.exists() else KeptCounts()


def write_kept_counts(path: Path, kept: KeptCounts) -> None:
    write_json(path, to_mapping(kept))


def mark_of(job: Job) -> str:
    """Tells a job from one of the same id that comes after it is deleted."""
    return f"{job.id} {job.begun.isoformat()}"


def count_answers(jobs: Iterable[Job], *, before: Sequence[AnswerCounts] = ()) -> tuple[AnswerCounts, ...]:
    """The answers of these jobs added to those counted `before`, by device and then month."""
    decisions = {(each.device, each.month): Counter(each.decisions) for each in before}
    malignant = {(each.device, each.month): Counter(each.malignant) for each in before}
    for job, read in studies_read(jobs):
        for part in read.parts:
            key = part.device or UNKNOWN_DEVICE, f"{job.begun:%Y-%m}"
            decisions.setdefault(key, Counter())[part.decision or NO_DECISION] += 1
            of_probability = malignant.setdefault(key, Counter())
            if part.malignant is not None:
                of_probability[f"{part.malignant:.3f}"] += 1
    return tuple(
        AnswerCounts(
            device=device,
            month=month,
            decisions=dict(sorted(decisions[device, month].items())),
            malignant=dict(sorted(malignant[device, month].items())),
        )
        for device, month in sorted(decisions)
    )


def count_failed(jobs: Iterable[Job], *, before: Mapping[str, int]) -> dict[str, int]:
    """Those of the jobs that failed, added to those counted `before`, by the kind of their reasons."""
    counts = Counter(before)
    counts.update(_kind(job.reason or "") for job in jobs if job.state == "failed")
    return dict(sorted(counts.items()))


def _kind(reason: str) -> str:
    return _NUMBER.sub("…", _FILE.sub("", reason))


def studies_read(jobs: Iterable[Job]) -> Iterator[tuple[Job, StudyRead]]:
    """Those of the jobs that have been read."""
    for job in jobs:
        if READ in job.results:
            yield job, from_mapping(StudyRead, job.results[READ], where=f"job {job.id}")
