"""Answers by device and month, and when they raise a warning."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bustle.core.config import to_mapping
from bustle.jobs.job import Job
from bustle.node.answer_counts import UNKNOWN_DEVICE, count_answers
from bustle.node.drift import MonthOfDevice, months_of_devices
from bustle.node.read_study import READ, PartRead, StudyRead
from bustle.node.settings import DriftLimits
from bustle.reading.verdict import NO_ULTRASOUND

LIMITS = DriftLimits(fewest=10, other_pictures=0.2, decision=0.2, probability=0.2)


def study(month: str, *, benign: int = 0, malignant: int = 0, other: int = 0, device: str | None = "A") -> Job:
    """One that was read in this month, of so many images of each decision."""
    made = [PartRead(device=device, decision="benign", malignant=0.1)] * benign
    made += [PartRead(device=device, decision="malignant", malignant=0.9)] * malignant
    made += [PartRead(device=device, decision=NO_ULTRASOUND, malignant=None)] * other
    begun = datetime.fromisoformat(f"{month}-15").replace(tzinfo=UTC)
    read = to_mapping(StudyRead(parts=tuple(made), objects=0, unread=()))
    return Job(
        id=f"{month} {device}",
        state="done",
        stage="send",
        attempt=1,
        reason=None,
        submitted={},
        results={READ: read},
        begun=begun,
        changed=begun,
    )


def months(*studies: Job) -> tuple[MonthOfDevice, ...]:
    return months_of_devices(count_answers(studies), limits=LIMITS)


def test_shares_and_spread_of_each_device_and_month():
    found = months(study("2026-02", benign=3, malignant=1), study("2026-01", other=1, device=None))
    by_device = {(each.device, each.month): each for each in found}
    first = by_device["A", "2026-02"]
    assert (first.answers, first.decisions, first.warnings) == (4, {"benign": 0.75, "malignant": 0.25}, ())
    assert first.malignant[2] == pytest.approx(0.1)
    assert first.malignant[4] == pytest.approx(0.78)
    second = by_device[UNKNOWN_DEVICE, "2026-01"]
    assert (second.decisions, second.malignant) == ({NO_ULTRASOUND: 1.0}, ())


def test_a_change_of_shares_and_probabilities_warns_and_the_usual_does_not():
    usual = study("2026-01", benign=8, malignant=2), study("2026-02", benign=7, malignant=3)
    first, second, third = months(*usual, study("2026-03", benign=2, malignant=8))
    assert (first.warnings, second.warnings) == ((), ())
    assert third.warnings == (
        "20% are benign, 75% before",
        "80% are malignant, 25% before",
        "the median probability of malignant is 0.90, 0.10 before",
    )


def test_many_other_pictures_warn_also_in_the_first_month():
    (found,) = months(study("2026-01", benign=7, other=3))
    assert found.other_pictures == pytest.approx(0.3)
    assert found.warnings == ("30% are no breast ultrasound, more than 20%",)


def test_few_answers_warn_of_nothing():
    assert [each.warnings for each in months(study("2026-01", other=9))] == [()]
