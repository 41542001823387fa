"""Jobs on SQLite: done once, taken up again after a kill, tried again with patience, listed where they fail."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bustle.core.errors import InputError
from bustle.jobs.database import sqlite_url
from bustle.jobs.job import Job
from bustle.jobs.ledger import Jobs
from bustle.jobs.stage import JobInHand, Patience, PlainValues, PostponedError, Stage
from bustle.jobs.worker import Worker

POLL = 0.02
LONGEST_WAIT = 60.0
"""Seconds: a machine may be busy."""

KILLED = """
import sys, time
from bustle.jobs.stage import Stage
from bustle.jobs.worker import Worker

def slow(job):
    print(job.id, flush=True)
    time.sleep(600)

with Worker(sys.argv[1], name="list", stages=[Stage(name="read", work=slow)], poll=0.02):
    time.sleep(600)
"""
"""A worker that never ends a job."""


class Stages:
    """What the worker of these tests does, and what it was given."""

    def __init__(self) -> None:
        self.read: list[JobInHand] = []
        self.sent: list[JobInHand] = []

    def read_it(self, job: JobInHand) -> PlainValues:
        self.read.append(job)
        if job.id == "bad" and tries(self.read, "bad") == 1:
            raise InputError("no image", remedy="send images", path="/secret/place/study.zip")
        if job.id == "full":
            raise PostponedError("the disk is full")
        if job.id == "bug":
            raise ValueError("DOE^JANE")
        return {"pages": job.submitted["pages"] * 2}

    def send_it(self, job: JobInHand) -> PlainValues:
        self.sent.append(job)
        if job.id == "away" and tries(self.sent, "away") == 1:
            raise PostponedError("the archive is away")
        return {"sent": job.results["read"]["pages"]}

    def worker(self, url: str, *, name: str = "list") -> Worker:
        patience = Patience(attempts=2, first_wait=0.01)
        stages = [
            Stage(name="read", work=self.read_it, patience=patience),
            Stage(name="send", work=self.send_it, at_once=4, patience=patience),
        ]
        return Worker(url, name=name, stages=stages, poll=POLL)


def tries(given: list[JobInHand], job_id: str) -> int:
    return sum(job.id == job_id for job in given)


def settled(jobs: Jobs, *names: str) -> list[Job]:
    """The jobs when there is nothing left to do about them."""
    deadline = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < deadline:
        found = [job for job in map(jobs.state, names) if job is not None]
        if len(found) == len(names) and all(job.state in ("done", "failed") for job in found):
            return found
        time.sleep(POLL)
    raise AssertionError(f"not done: {[jobs.state(name) for name in names]}")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs") / "jobs.sqlite"


@pytest.fixture(scope="module")
def jobs(database: Path) -> Iterator[Jobs]:
    with Jobs(sqlite_url(database), name="list", stages=["read", "send"]) as opened:
        yield opened


@pytest.fixture(scope="module")
def stages(database: Path, jobs: Jobs) -> Stages:
    """A worker has done all it can for six jobs, which were there before it and were submitted twice."""
    work = Stages()
    names = ("a", "bad", "full", "bug", "away", "b")
    for name in names:
        jobs.submit(name, {"pages": 3})
        jobs.submit(name, {"pages": 100})
    with work.worker(sqlite_url(database)):
        settled(jobs, *names)
    return work


def test_a_job_goes_through_its_stages_once_however_often_it_is_submitted(jobs: Jobs, stages: Stages):
    jobs.submit("a", {"pages": 100})
    job = jobs.state("a")
    assert job is not None
    assert (job.state, job.stage, job.submitted) == ("done", "send", {"pages": 3})
    assert job.results == {"read": {"pages": 6}, "send": {"sent": 6}}
    assert (tries(stages.read, "a"), tries(stages.sent, "a")) == (1, 1)
    assert [each.id for each in jobs.list()] == ["a", "bad", "full", "bug", "away", "b"]
    assert jobs.state("absent") is None


def test_a_stage_that_is_postponed_is_tried_again_and_the_stages_before_are_not(jobs: Jobs, stages: Stages):
    job = jobs.state("away")
    assert job is not None
    assert (job.state, job.stage, job.attempt, job.reason) == ("done", "send", 2, None)
    assert (tries(stages.read, "away"), tries(stages.sent, "away")) == (1, 2)


def test_what_goes_wrong_again_and_again_fails_with_its_reason(jobs: Jobs, stages: Stages):
    job = jobs.state("full")
    assert job is not None
    assert (job.state, job.reason, job.attempt) == ("failed", "the disk is full", 2)
    assert tries(stages.read, "full") == 2


def test_a_bug_is_told_by_its_place_and_not_in_its_words(
    database: Path, jobs: Jobs, stages: Stages, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    job = jobs.state("bug")
    assert job is not None
    assert job.reason is not None
    assert job.reason.startswith("internal error: ValueError in test_worker.py, line ")
    with contextlib.closing(sqlite3.connect(database)) as opened:
        kept = "\n".join(opened.iterdump())
    told = capfd.readouterr()
    assert "DOE" not in kept + caplog.text + told.out + told.err
    assert "py_pickle" not in kept


def test_what_fails_for_good_is_tried_again_when_a_person_says_so(database: Path, jobs: Jobs, stages: Stages):
    job = jobs.state("bad")
    assert job is not None
    assert (job.state, job.reason, job.attempt) == ("failed", "study.zip: no image; send images", 1)
    jobs.retry("bad")
    waiting = jobs.state("bad")
    assert waiting is not None
    assert (waiting.state, waiting.reason) == ("waiting", "study.zip: no image; send images")
    with stages.worker(sqlite_url(database)):
        assert [job.state for job in settled(jobs, "bad")] == ["done"]
    with pytest.raises(InputError, match="is done; only failed ones are tried again"):
        jobs.retry("bad")
    with pytest.raises(InputError, match="there is no job 'absent'"):
        jobs.retry("absent")


def test_what_ran_out_of_attempts_has_as_many_anew(database: Path, jobs: Jobs, stages: Stages):
    jobs.retry("full")
    with stages.worker(sqlite_url(database)):
        (job,) = settled(jobs, "full")
    assert (job.state, job.reason, job.attempt) == ("failed", "the disk is full", 4)


def test_what_a_killed_worker_held_is_taken_up_again_and_what_waited_is_not_lost(
    database: Path, jobs: Jobs, stages: Stages
):
    for name in ("held", "waiting"):
        jobs.submit(name, {"pages": 1})
    words = [sys.executable, "-c", KILLED, sqlite_url(database)]
    killed = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert killed.stdout is not None
        held = killed.stdout.readline().strip()
        assert [job.id for job in jobs.list() if job.state == "running"] == [held]
    finally:
        killed.kill()
        killed.communicate()
    with stages.worker(sqlite_url(database)):
        assert {job.state for job in settled(jobs, "held", "waiting")} == {"done"}
    assert (tries(stages.read, "held"), tries(stages.read, "waiting")) == (1, 1)


def test_workers_of_another_list_in_the_same_database_leave_a_job_alone(database: Path, jobs: Jobs, stages: Stages):
    jobs.submit("c", {"pages": 1})
    with Jobs(sqlite_url(database), name="other", stages=["read", "send"]) as others:
        others.submit("c", {"pages": 1})
        with stages.worker(sqlite_url(database), name="other"):
            assert [job.state for job in settled(others, "c")] == ["done"]
    job = jobs.state("c")
    assert job is not None
    assert job.state == "waiting"


def test_a_database_that_cannot_be_used_is_one_line(tmp_path: Path):
    with pytest.raises(InputError, match="is given as mysql URL; write sqlite:///FILE or postgresql"):
        Jobs("mysql://localhost/x", name="list", stages=["read"])
    with pytest.raises(InputError, match="unable to open database file"):
        Jobs(sqlite_url(tmp_path / "absent" / "jobs.sqlite"), name="list", stages=["read"])


@pytest.mark.parametrize("name", ["", "a/b", "a b", "x" * 201])
def test_names_that_would_be_taken_for_another_jobs_are_refused(jobs: Jobs, name: str):
    with pytest.raises(ValueError, match="must be up to 200"):
        jobs.submit(name, {})


def test_waits_grow_up_to_the_longest():
    patience = Patience(first_wait=10, growth=2, longest_wait=60)
    assert [patience.wait_after(attempt) for attempt in (1, 2, 3, 4, 30, 31)] == [10, 20, 40, 60, 60, 10]


def test_a_job_that_is_forgotten_leaves_no_row_and_may_come_again(database: Path, jobs: Jobs, stages: Stages):
    assert rows_that_name("list/b/", database) != {}
    jobs.forget(["b", "absent"])
    assert rows_that_name("list/b/", database) == {}
    assert jobs.state("b") is None
    assert jobs.state("a") is not None
    jobs.submit("b", {"pages": 5})
    job = jobs.state("b")
    assert job is not None
    assert (job.state, job.submitted) == ("waiting", {"pages": 5})


def rows_that_name(text: str, database: Path) -> dict[str, int]:
    """How many rows of each table hold the text."""
    with contextlib.closing(sqlite3.connect(database)) as opened:
        tables = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        held = {
            name: [row for row in opened.execute(f'SELECT * FROM "{name}"') if text in repr(row)] for name in tables
        }
    return {name: len(rows) for name, rows in held.items() if rows}
