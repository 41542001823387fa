"""`answers.html` of predictions: every image with its outline, its answer and what was measured.

The pictures stay the files that they are, beside the page, and are loaded when they come into sight: thousands of
cases make a page of a few megabytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bustle.report.disclaimer import DISCLAIMER
from bustle.report.page import write_page

NO_DECISION = "no decision"


@dataclass(frozen=True, kw_only=True)
class ShownPicture:
    """A picture beside the page: its title, and where it is from there, as a URL."""

    title: str
    url: str


@dataclass(frozen=True, kw_only=True)
class ShownLesion:
    """One lesion in words: its `size`, and what was measured of it by name."""

    size: str
    measured: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ShownAnswer:
    """One image: what is said of it, and what a reader must know about that (`remarks`).

    `probabilities` are calibrated where `calibrated`, otherwise the network's own. `moved_by` are the descriptors
    that moved that of malignant most, `similar` the most similar training cases, in words. `record` is the URL of its
    `prediction.json`.
    """

    name: str
    decision: str | None
    probabilities: Mapping[str, float]
    calibrated: bool
    possible: Sequence[str]
    moved_by: Sequence[str]
    similar: Sequence[str]
    lesions: Sequence[ShownLesion]
    remarks: Sequence[str]
    pictures: Sequence[ShownPicture]
    record: str


@dataclass(frozen=True, kw_only=True)
class AnsweringModel:
    """By what the answers were made: names and values for a person."""

    title: str
    details: Mapping[str, str]


def write_answers_page(
    path: Path, answers: Sequence[ShownAnswer], *, model: AnsweringModel, failures: Sequence[str] = ()
) -> None:
    """Write the page; `failures` are one line for each input that could not be read."""
    counts = Counter(answer.decision or NO_DECISION for answer in answers)
    write_page(
        path,
        "answers.html",
        answers=answers,
        counts=counts.most_common(),
        no_decision=NO_DECISION,
        classes=list(dict.fromkeys(name for answer in answers for name in answer.probabilities)),
        model=model,
        failures=failures,
        disclaimer=DISCLAIMER,
    )
