"""From the answers about a person's clips and images to one for each side and one for the study.

The most urgent answer decides: clips and images show different places, so that a mean over them would hide the one
that matters. The same lesion in two clips is not known again; each clip has its own numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bustle.reading.verdict import Verdict

Side = Literal["left", "right", "both"]


@dataclass(frozen=True, kw_only=True)
class PartAnswer:
    """What one clip or image, `name`, of a study says; `side` is the breast's where the file tells it."""

    name: str
    side: Side | None
    frames: int
    lesions: int
    decided_by: int | None
    verdict: Verdict | None


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """What of a study was not read, by its name in the output, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Decided:
    """The one answer about several parts of a study: that of `part`, there of the lesion of this number."""

    verdict: Verdict
    part: str
    lesion: int | None


@dataclass(frozen=True, kw_only=True)
class SideAnswer:
    side: Side | None
    parts: int
    answer: Decided | None


@dataclass(frozen=True, kw_only=True)
class StudyAnswer:
    """One person's study. `study` and `patient` stand for them without naming anybody; None where unknown."""

    study: str | None
    patient: str | None
    answer: Decided | None
    sides: tuple[SideAnswer, ...]
    parts: tuple[PartAnswer, ...]

    def __post_init__(self) -> None:
        if self.answer != decided(self.parts):
            raise ValueError("the study's answer must be that of its most urgent part")


def answer_study(parts: Sequence[PartAnswer], *, study: str | None, patient: str | None) -> StudyAnswer:
    """One answer for all parts, and one for the parts of each side."""
    sides = []
    for side in ("left", "right", "both", None):
        own = [part for part in parts if part.side == side]
        if own:
            sides.append(SideAnswer(side=side, parts=len(own), answer=decided(own)))
    return StudyAnswer(study=study, patient=patient, answer=decided(parts), sides=tuple(sides), parts=tuple(parts))


def decided(parts: Sequence[PartAnswer]) -> Decided | None:
    """The most urgent answer, of equals the first; None where no part has one."""
    found: Decided | None = None
    for part in parts:
        if part.verdict is not None and (found is None or part.verdict.urgency > found.verdict.urgency):
            found = Decided(verdict=part.verdict, part=part.name, lesion=part.decided_by)
    return found
