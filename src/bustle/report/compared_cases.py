"""The rows of pictures of a comparison: a case's image, its true outline, and what every run drew of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.metrics import SEGMENTATION
from bustle.report.gallery import ShownCase, as_jpeg_uri

MOST = 40
"""Rows of pictures in a page: it holds them, at some 10 kB a picture."""

NO_PREDICTION = "no prediction file"


class ComparedPicture(NamedTuple):
    """One picture of a row: whose it is, what is said of it, and the picture itself, None where there is none."""

    title: str
    caption: str
    uri: str | None


class ComparedCase(NamedTuple):
    """One row of pictures, `wide` ones of a volume."""

    title: str
    label: str | None
    wide: bool
    pictures: list[ComparedPicture]


def overlap_column(rows: Mapping[str, Sequence[CaseRow]]) -> str | None:
    """The overlap by which the runs are compared; None unless every run shares a scored case with the reference."""
    first, *others = rows.values()
    for column in ("dice", "box_iou"):
        if all(
            any(a.value(column) is not None and b.value(column) is not None for a, b in zip(first, own, strict=True))
            for own in others
        ):
            return column
    return None


def most_different(rows: Mapping[str, Sequence[CaseRow]], *, at_most: int = MOST) -> list[int]:
    """The places of the cases to show: those first on whose overlap the best and the worst run differ most."""
    column = overlap_column(rows)
    if column is None:
        return []
    spread: dict[int, float] = {}
    for place, together in enumerate(zip(*rows.values(), strict=True)):
        values = [value for value in (row.value(column) for row in together) if value is not None]
        if len(values) > 1:
            spread[place] = max(values) - min(values)
    return sorted(spread, key=lambda place: (-spread[place], place))[:at_most]


def own_picture(title: str, shown: ShownCase) -> ComparedPicture:
    """The case itself, or its true outline."""
    return ComparedPicture(title, "", as_jpeg_uri(shown.drawn()[0]))


def run_picture(run: str, row: CaseRow, *, column: str, shown: ShownCase | None) -> ComparedPicture:
    """What a run drew, with its overlap and its decision."""
    value, probability = row.value(column), row.probability(row.decision)
    words = [] if value is None else [f"{SEGMENTATION[column].title} {value:.3f}"]
    if row.decision is not None:
        words.append(row.decision if probability is None else f"{row.decision} {probability:.2f}")
    if shown is None:
        words.append(NO_PREDICTION)
    return ComparedPicture(run, ", ".join(words), None if shown is None else as_jpeg_uri(shown.drawn()[0]))
