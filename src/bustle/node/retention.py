"""What has ended some days ago is deleted: neither patients' images nor the list of jobs may grow for ever."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bustle.jobs.job import Job
from bustle.jobs.ledger import Jobs
from bustle.node.answer_counts import (
    KeptCounts,
    count_answers,
    count_failed,
    mark_of,
    read_kept_counts,
    write_kept_counts,
)
from bustle.node.arrivals import Arrivals
from bustle.node.incoming import Incoming


def delete_ended(
    incoming: Incoming,
    out: Path,
    jobs: Jobs,
    arrivals: Arrivals,
    *,
    counts: Path,
    keep_days: float,
    keep_failed_days: float,
) -> None:
    """Delete images, predictions and jobs of every study whose jobs have all ended so long ago.

    What was answered is kept for `keep_days`, what failed, and may be tried again, for `keep_failed_days`. An image
    that no job was about stays: it may have come just now. The answers of what is deleted, and why others failed, are
    counted in the file `counts`.
    """
    by_study: dict[str, list[Job]] = {}
    there = tuple(jobs.list())
    for job in there:
        by_study.setdefault(job.submitted["study"], []).append(job)
    now = datetime.now(UTC)
    before = {"done": now - timedelta(days=keep_days), "failed": now - timedelta(days=keep_failed_days)}
    gone: dict[str, list[Job]] = {}
    for study, own in by_study.items():
        if arrivals.is_coming(study) or any(
            job.state not in before or job.changed > before[job.state] for job in own
        ):
            continue
        for job in own:
            incoming.remove(study, job.submitted["instances"])
            shutil.rmtree(out / job.id, ignore_errors=True)
        gone[study] = own
    _forget([job for own in gone.values() for job in own], jobs, counts, there=there)
    for study in gone:
        if incoming.instances(study):  # they came meanwhile, and may have met the job that is no longer there
            arrivals.came(study)


def _forget(gone: Sequence[Job], jobs: Jobs, counts: Path, *, there: Sequence[Job]) -> None:
    """Count, then delete. What a kill leaves in between is known by its mark, and not counted twice.

    Of the jobs that are `there`, one that is marked may not be `gone` yet: more of its study came after the kill.
    """
    kept = read_kept_counts(counts)
    fresh = [job for job in gone if mark_of(job) not in kept.last]
    jobs.forget([job.id for job in gone if mark_of(job) in kept.last])
    if fresh:
        left = set(map(mark_of, there)).intersection(kept.last)
        added = KeptCounts(
            counts=count_answers(fresh, before=kept.counts),
            failed=count_failed(fresh, before=kept.failed),
            last=(*sorted(left), *map(mark_of, fresh)),
        )
        write_kept_counts(counts, added)
        jobs.forget([job.id for job in fresh])
