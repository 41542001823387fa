"""What stays on a node's disk, and what becomes of a job when the disk is full or its images are gone."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.jobs.job import Job, JobState
from bustle.jobs.stage import JobInHand, PostponedError
from bustle.node import read_study
from bustle.node.answer_counts import read_kept_counts
from bustle.node.incoming import Incoming
from bustle.node.read_study import READ, PartRead, StudyRead, StudyReader
from bustle.node.retention import delete_ended
from bustle.node.settings import MB, Limits

STUDY = "1.2.3"


class Listed:
    """In place of a list of jobs."""

    def __init__(self, *jobs: Job):
        self.jobs = jobs

    def list(self) -> Iterator[Job]:
        yield from self.jobs

    def forget(self, job_ids: Sequence[str]) -> None:
        self.jobs = tuple(job for job in self.jobs if job.id not in job_ids)


class Coming:
    """In place of arrivals."""

    def __init__(self, *studies: str):
        self.studies = set(studies)

    def is_coming(self, study: str) -> bool:
        return study in self.studies

    def came(self, study: str) -> None:
        self.studies.add(study)


def job(name: str, *, state: JobState = "done", days: float = 8) -> Job:
    changed = datetime.now(UTC) - timedelta(days=days)
    part = PartRead(device="A", decision="benign", malignant=0.1234)
    read = to_mapping(StudyRead(parts=(part,), objects=0, unread=()))
    shared = {"stage": "send", "attempt": 1, "reason": None, "begun": changed, "changed": changed}
    return Job(id=name, state=state, submitted={"study": STUDY, "instances": ["1"]}, results={READ: read}, **shared)


@pytest.fixture
def incoming(tmp_path: Path) -> Incoming:
    made = Incoming(tmp_path / "incoming", limits=Limits(free=0))
    made.keep(b"x", study=STUDY, instance="1")
    (tmp_path / "answers" / "a").mkdir(parents=True)
    return made


@pytest.mark.parametrize(
    ("jobs", "coming", "stays"),
    [
        ([job("a")], (), False),
        ([job("a", days=6)], (), True),
        ([job("a"), job("b", state="failed", days=29)], (), True),
        ([job("a"), job("b", state="failed", days=31)], (), False),
        ([job("a"), job("b", state="running", days=0)], (), True),
        ([job("a")], (STUDY,), True),
        ([], (), True),
    ],
    ids=[
        "answered long ago",
        "answered lately",
        "failed in part",
        "failed very long ago",
        "being read",
        "more is coming",
        "not yet read",
    ],
)
def test_what_has_ended_long_ago_is_deleted_and_nothing_else(
    incoming: Incoming, tmp_path: Path, jobs: list[Job], coming: tuple[str, ...], stays: bool
):
    listed = Listed(*jobs)
    delete(incoming, tmp_path, listed, Coming(*coming))
    assert (incoming.instances(STUDY) == ("1",)) is stays
    assert (tmp_path / "answers" / "a").exists() is stays
    assert listed.jobs == (tuple(jobs) if stays else ())


def test_an_image_that_has_just_come_is_kept_where_others_are_old(incoming: Incoming, tmp_path: Path):
    incoming.keep(b"y", study=STUDY, instance="2")
    coming = Coming()
    delete(incoming, tmp_path, Listed(job("a")), coming)
    assert incoming.instances(STUDY) == ("2",)
    assert coming.is_coming(STUDY)  # or no job would ever be about it


def test_what_another_thread_is_writing_neither_fails_a_sender_nor_counts_as_its_study(
    incoming: Incoming, monkeypatch: pytest.MonkeyPatch
):
    """The temporary of another thread is renamed, and an image deleted, between the listing and the look at each."""
    listing = os.scandir
    temporary, other = incoming.path / STUDY / ".2.dcm.x8fj_2ka.dcm", incoming.path / STUDY / "3.dcm"

    def just_before(folder: Path) -> contextlib.AbstractContextManager[list[os.DirEntry[str]]]:
        with listing(folder) as found:
            entries = list(found)
        for path in (temporary, other):
            path.unlink(missing_ok=True)
        return contextlib.nullcontext(entries)

    temporary.touch()
    other.touch()
    monkeypatch.setattr(os, "scandir", just_before)
    assert incoming.keep(b"y", study=STUDY, instance="4") == "new"
    monkeypatch.undo()
    small = Incoming(incoming.path, limits=Limits(free=0, instance=1, study=1))
    temporary.write_bytes(bytes(2 * MB))
    assert small.keep(b"z", study=STUDY, instance="5") == "new"
    assert small.keep(bytes(MB), study=STUDY, instance="6") == "study too large"


def test_answers_of_deleted_jobs_stay_counted_once(incoming: Incoming, tmp_path: Path):
    """Also where a kill leaves jobs that are counted already, and where the same study comes again."""

    class Killed(Listed):
        def forget(self, job_ids: Sequence[str]) -> None:
            if job_ids:
                raise KeyboardInterrupt

    first = job("a")
    with pytest.raises(KeyboardInterrupt):
        delete(incoming, tmp_path, Killed(first), Coming())
    counted = read_kept_counts(tmp_path / "counts.json").counts
    assert [(each.device, each.decisions, each.malignant) for each in counted] == [("A", {"benign": 1}, {"0.123": 1})]
    listed = Listed(first)
    delete(incoming, tmp_path, listed, Coming())
    assert (listed.jobs, read_kept_counts(tmp_path / "counts.json").counts) == ((), counted)
    delete(incoming, tmp_path, Listed(job("a", days=7.5)), Coming())
    kept = read_kept_counts(tmp_path / "counts.json").counts
    assert sum(count for each in kept for count in each.decisions.values()) == 2


def test_what_failed_stays_counted_by_the_kind_of_its_reason(incoming: Incoming, tmp_path: Path):
    reasons = (
        "1.2.3.dcm: is cut short in frame 2: 9 of 12 bytes; fetch it",
        "1.9.dcm: is cut short in frame 31: 1 of 2 bytes; fetch it",
    )
    failed = [
        replace(job(name, state="failed", days=31), reason=reason) for name, reason in zip("ab", reasons, strict=True)
    ]
    delete(incoming, tmp_path, Listed(*failed), Coming())
    kept = read_kept_counts(tmp_path / "counts.json")
    assert kept.failed == {"is cut short in frame …: … of … bytes; fetch it": 2}


def test_a_counted_job_whose_study_goes_on_is_not_counted_with_the_jobs_after_it(incoming: Incoming, tmp_path: Path):
    class Killed(Listed):
        def forget(self, job_ids: Sequence[str]) -> None:
            if job_ids:
                raise KeyboardInterrupt

    first, coming = job("a"), Coming()
    with pytest.raises(KeyboardInterrupt):
        delete(incoming, tmp_path, Killed(first), coming)
    coming.came(STUDY)
    listed = Listed(first, replace(job("b"), submitted={"study": "1.2.4", "instances": ["1"]}))
    delete(incoming, tmp_path, listed, coming)
    assert listed.jobs == (first,)
    coming.studies.clear()
    delete(incoming, tmp_path, listed, coming)
    assert listed.jobs == ()
    counted = read_kept_counts(tmp_path / "counts.json").counts
    assert [each.decisions for each in counted] == [{"benign": 2}]


def delete(incoming: Incoming, folder: Path, listed: Listed, coming: Coming) -> None:
    delete_ended(
        incoming,
        folder / "answers",
        listed,  # pyright: ignore[reportArgumentType]
        coming,  # pyright: ignore[reportArgumentType]
        counts=folder / "counts.json",
        keep_days=7,
        keep_failed_days=30,
    )


def reader(incoming: Incoming, tmp_path: Path) -> StudyReader:
    return StudyReader(None, incoming, tmp_path / "answers", formats=("sr",))  # pyright: ignore[reportArgumentType]


def test_a_disk_that_is_full_while_a_study_is_read_postpones_it(
    incoming: Incoming, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(inputs: list[str]) -> None:
        raise InputError("no space left", remedy="free some") from OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(read_study, "pick", full)
    with pytest.raises(PostponedError, match="the disk is full"):
        reader(incoming, tmp_path).read(JobInHand(id="a", submitted={"study": STUDY, "instances": ["1"]}))


def test_a_study_whose_images_are_gone_or_are_none_fails_for_good(incoming: Incoming, tmp_path: Path):
    with pytest.raises(InputError, match="its images are deleted"):
        reader(incoming, tmp_path).read(JobInHand(id="a", submitted={"study": STUDY, "instances": ["2"]}))
    with pytest.raises(InputError):
        reader(incoming, tmp_path).read(JobInHand(id="a", submitted={"study": STUDY, "instances": ["1"]}))
