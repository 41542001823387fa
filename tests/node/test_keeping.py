"""What stays on a node's disk, and what becomes of a job when the disk is full or its images are gone."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bustle.core.errors import InputError
from bustle.jobs.job import Job, JobState
from bustle.jobs.stage import JobInHand, PostponedError
from bustle.node import read_study
from bustle.node.incoming import Incoming
from bustle.node.read_study import StudyReader
from bustle.node.retention import delete_answered

STUDY = "1.2.3"


class Listed:
    """In place of a list of jobs."""

    def __init__(self, *jobs: Job):
        self.jobs = jobs

    def list(self) -> Iterator[Job]:
        yield from self.jobs


class Coming:
    """In place of arrivals."""

    def __init__(self, *studies: str):
        self.studies = studies

    def is_coming(self, study: str) -> bool:
        return study in self.studies


def job(name: str, *, state: JobState = "done", days: float = 8) -> Job:
    changed = datetime.now(UTC) - timedelta(days=days)
    shared = {"stage": "send", "attempt": 1, "reason": None, "results": {}, "begun": changed, "changed": changed}
    return Job(id=name, state=state, submitted={"study": STUDY, "instances": ["1"]}, **shared)


@pytest.fixture
def incoming(tmp_path: Path) -> Incoming:
    made = Incoming(tmp_path / "incoming", free=0)
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
    out = tmp_path / "answers"
    delete_answered(incoming, out, Listed(*jobs), Coming(*coming), keep_days=7)  # pyright: ignore[reportArgumentType]
    assert (incoming.instances(STUDY) == ("1",)) is stays
    assert (out / "a").exists() is stays


def test_an_image_that_has_just_come_is_kept_where_others_are_old(incoming: Incoming, tmp_path: Path):
    incoming.keep(b"y", study=STUDY, instance="2")
    listed = Listed(job("a"))
    delete_answered(incoming, tmp_path / "answers", listed, Coming(), keep_days=7)  # pyright: ignore[reportArgumentType]
    assert incoming.instances(STUDY) == ("2",)


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
