"""From the answers about a person's clips and images to one for each side and one for the study.

The most urgent answer decides: clips and images show different places, so that a mean over them would hide the one
that matters. The same lesion in two clips is not known again: each clip has its own numbers, and lesions are not
added up over clips and images. What is counted is in how many of them one is seen.
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
    """The one answer about several parts of a study: that of `part`, there of the lesion of this number.

    `said_by` parts say the same.
    """

    verdict: Verdict
    part: str
    lesion: int | None
    said_by: int


@dataclass(frozen=True, kw_only=True)
class SideAnswer:
    """Of the `parts` of a side, lesions are seen in `seen_in`: one lesion in several of them, or several lesions."""

    side: Side | None
    parts: int
    seen_in: int
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
            seen_in = sum(part.lesions > 0 for part in own)
            sides.append(SideAnswer(side=side, parts=len(own), seen_in=seen_in, answer=decided(own)))
    return StudyAnswer(study=study, patient=patient, answer=decided(parts), sides=tuple(sides), parts=tuple(parts))


def decided(parts: Sequence[PartAnswer]) -> Decided | None:
    """The most urgent answer, of equals the first; None where no part has one."""
    verdicts = [(part.verdict, part) for part in parts if part.verdict is not None]
    if not verdicts:
        return None
    verdict, deciding = max(verdicts, key=lambda pair: pair[0].urgency)
    said_by = sum(other.decision == verdict.decision for other, _ in verdicts)
    return Decided(verdict=verdict, part=deciding.name, lesion=deciding.decided_by, said_by=said_by)
