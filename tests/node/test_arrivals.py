"""A study becomes a job when nothing of it has come for a while, and the same images only once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bustle.node.arrivals import Arrivals, job_id
from bustle.node.incoming import Incoming
from bustle.node.settings import Limits

STUDY, MODEL = "1.2.3", "abc" * 20


class Submitted:
    """In place of a list of jobs."""

    def __init__(self) -> None:
        self.jobs: dict[str, object] = {}

    def submit(self, name: str, submitted: object) -> None:
        self.jobs.setdefault(name, submitted)


class Clock:
    now = 2e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def incoming(tmp_path: Path) -> Incoming:
    return Incoming(tmp_path, limits=Limits(free=0))


def arrivals(incoming: Incoming, jobs: Submitted, clock: Clock) -> Arrivals:
    return Arrivals(incoming, jobs, model=MODEL, quiet_seconds=30, clock=clock)  # pyright: ignore[reportArgumentType]


def test_a_study_waits_until_it_is_quiet_and_begins_to_wait_anew_with_each_image(incoming: Incoming):
    jobs, clock = Submitted(), Clock()
    coming = arrivals(incoming, jobs, clock)
    for second, instance in ((0, "1"), (20, "2")):
        clock.now = Clock.now + second
        incoming.keep(b"x", study=STUDY, instance=instance)
        coming.came(STUDY)
    clock.now = Clock.now + 49
    coming.submit_complete()
    assert jobs.jobs == {}
    assert coming.is_coming(STUDY)
    clock.now = Clock.now + 50
    coming.submit_complete()
    name = job_id(STUDY, ["2", "1"], model=MODEL)
    assert jobs.jobs == {name: {"study": STUDY, "instances": ["1", "2"]}}
    assert not coming.is_coming(STUDY)


def test_images_that_come_late_make_another_job_and_the_same_ones_none(incoming: Incoming):
    jobs, clock = Submitted(), Clock()
    coming = arrivals(incoming, jobs, clock)
    for instance, count in (("1", 1), ("1", 1), ("2", 2)):
        incoming.keep(b"x", study=STUDY, instance=instance)
        coming.came(STUDY)
        clock.now += 30
        coming.submit_complete()
        assert len(jobs.jobs) == count


def test_a_killed_node_finds_on_the_disk_what_was_still_coming(incoming: Incoming):
    incoming.keep(b"x", study=STUDY, instance="1")
    jobs, clock = Submitted(), Clock()
    coming = arrivals(Incoming(incoming.path, limits=Limits(free=0)), jobs, clock)
    coming.submit_complete()
    assert jobs.jobs == {}, "it could not come while the node was away"
    clock.now += 30
    coming.submit_complete()
    assert list(jobs.jobs) == [job_id(STUDY, ["1"], model=MODEL)]


def test_a_clock_that_was_set_back_does_not_hold_a_study_for_ever(incoming: Incoming):
    incoming.keep(b"x", study=STUDY, instance="1")
    jobs, clock = Submitted(), Clock()
    coming = arrivals(incoming, jobs, clock)
    clock.now -= 86400
    coming.submit_complete()
    assert len(jobs.jobs) == 1


def test_a_job_is_named_by_study_images_and_model():
    names = {
        job_id("1.2", ["1"], model="a"),
        job_id("1.3", ["1"], model="a"),
        job_id("1.2", ["1", "2"], model="a"),
        job_id("1.2", ["1"], model="b"),
    }
    assert len(names) == 4
