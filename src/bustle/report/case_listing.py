"""The table of every case at the end of a report: what its rows show, and by what they are filtered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bustle.evaluation.case_table import CaseRow
from bustle.report.case_traits import TRAITS, traits_of

COLUMNS = {
    "Dice": ("dice", 3),
    "IoU": ("iou", 3),
    "HD95 px": ("hd95_px", 1),
    "HD95 mm": ("hd95_mm", 2),
    "ASD px": ("asd_px", 1),
    "area px": ("area", 0),
}


class ListedCase(NamedTuple):
    """`overlay` and `place` are links to the case's picture in a file and in a gallery, None where there is none.

    `traits` are the numbers of its traits among those of the table; `numbers` are written out, empty where undefined.
    """

    case_id: str
    group_id: str
    source: str
    label: str
    decision: str
    numbers: tuple[str, ...]
    size: str
    traits: tuple[int, ...]
    overlay: str | None
    place: str | None


class ListedCases(NamedTuple):
    """`headings` of the `numbers`; by the others rows are filtered, each value with its name, where they differ."""

    cases: list[ListedCase]
    headings: list[str]
    sources: dict[str, str]
    labels: dict[str, str]
    decisions: dict[str, str]
    traits: dict[int, str]


def listed_cases(
    rows: Sequence[CaseRow], *, classes: Sequence[str], overlays: Mapping[str, str], pictured: Mapping[str, str]
) -> ListedCases:
    columns = {
        title: column for title, column in COLUMNS.items() if any(row.value(column[0]) is not None for row in rows)
    }
    cases = []
    for row in rows:
        numbers = [_written(row.probability(name), 3) for name in classes]
        numbers += [_written(row.value(name), digits) for name, digits in columns.values()]
        found = ListedCase(
            case_id=row.case_id,
            group_id=row.group_id,
            source=row.source,
            label=row.label or "",
            decision=row.decision or "",
            numbers=tuple(numbers),
            size=row.size_stratum or "",
            traits=tuple(TRAITS.index(trait) for trait in traits_of(row, classes=classes)),
            overlay=overlays.get(row.case_id),
            place=pictured.get(row.case_id),
        )
        cases.append(found)
    held = {number for case in cases for number in case.traits}
    return ListedCases(
        cases=cases,
        headings=[*(f"P({name})" for name in classes), *columns],
        sources=_several(case.source for case in cases),
        labels=_several(case.label for case in cases),
        decisions=_several(case.decision for case in cases),
        traits={number: trait for number, trait in enumerate(TRAITS) if number in held},
    )


def _written(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _several(values: Iterable[str]) -> dict[str, str]:
    """The different values in order, none where all are the same."""
    found = sorted(set(values) - {""})
    return {value: value for value in found} if len(found) > 1 else {}
