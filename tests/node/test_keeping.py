"""What stays on a node's disk, and what becomes of a job when the disk is full or its images are gone."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
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
from bustle.node.retention import delete_answered
from bustle.node.settings import Limits

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
        ([job("a"), job("b", state="failed")], (), True),
        ([job("a"), job("b", state="running", days=0)], (), True),
        ([job("a")], (STUDY,), True),
        ([], (), True),
    ],
    ids=["answered long ago", "answered lately", "failed in part", "being read", "more is coming", "not yet read"],
)
def test_what_was_answered_long_ago_is_deleted_and_nothing_else(
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


def delete(incoming: Incoming, folder: Path, listed: Listed, coming: Coming) -> None:
    delete_answered(
        incoming,
        folder / "answers",
        listed,  # pyright: ignore[reportArgumentType]
        coming,  # pyright: ignore[reportArgumentType]
        counts=folder / "counts.json",
        keep_days=7,
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
