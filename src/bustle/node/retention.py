"""What was answered some days ago is deleted: neither patients' images nor the list of jobs may grow for ever."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bustle.jobs.job import Job
from bustle.jobs.ledger import Jobs
from bustle.node.answer_counts import KeptCounts, count_answers, mark_of, read_kept_counts, write_kept_counts
from bustle.node.arrivals import Arrivals
from bustle.node.incoming import Incoming


def delete_answered(
    incoming: Incoming, out: Path, jobs: Jobs, arrivals: Arrivals, *, counts: Path, keep_days: float
) -> None:
    """Delete images, predictions and jobs of every study whose jobs are all done, the last of them so long ago.

    What failed stays: it can be tried again. So does an image that no job was about: it may have come just now. The
    answers of what is deleted are counted in the file `counts`.
    """
    by_study: dict[str, list[Job]] = {}
    there = tuple(jobs.list())
    for job in there:
        by_study.setdefault(job.submitted["study"], []).append(job)
    before = datetime.now(UTC) - timedelta(days=keep_days)
    gone: dict[str, list[Job]] = {}
    for study, own in by_study.items():
        if arrivals.is_coming(study) or any(job.state != "done" or job.changed > before for job in own):
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
        added = count_answers(fresh, before=kept.counts)
        left = set(map(mark_of, there)).intersection(kept.last)
        write_kept_counts(counts, KeptCounts(counts=added, last=(*sorted(left), *map(mark_of, fresh))))
        jobs.forget([job.id for job in fresh])
