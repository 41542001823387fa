"""What was answered some days ago is deleted, so that patients' images do not pile up and fill the disk."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bustle.jobs.job import Job
from bustle.jobs.ledger import Jobs
from bustle.node.arrivals import Arrivals
from bustle.node.incoming import Incoming


def delete_answered(incoming: Incoming, out: Path, jobs: Jobs, arrivals: Arrivals, *, keep_days: float) -> None:
    """Delete images and predictions of every study whose jobs are all done, the last of them so long ago.

    What failed stays: it can be tried again. So does an image that no job was about: it may have come just now.
    """
    by_study: dict[str, list[Job]] = {}
    for job in jobs.list():
        by_study.setdefault(job.submitted["study"], []).append(job)
    before = datetime.now(UTC) - timedelta(days=keep_days)
    for study in incoming.studies():
        own = by_study.get(study)
        if not own or arrivals.is_coming(study) or any(job.state != "done" or job.changed > before for job in own):
            continue
        for job in own:
            incoming.remove(study, job.submitted["instances"])
            shutil.rmtree(out / job.id, ignore_errors=True)
