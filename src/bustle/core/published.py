"""The numbers that the papers print, as data: one row per printed number, on the scale of the print."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Literal

from bustle.core.errors import InputError, unknown_name
from bustle.core.recipe import CONFIGS


@dataclass(frozen=True, kw_only=True)
class PublishedNumber:
    """One printed number. `mean` and `sd` are in `unit`; `sd` is what stands after the ±, where anything does.

    `note` says what a reader must know: a confidence half width in place of a standard deviation, a misprint, a
    value quoted from elsewhere. A method has one name in all tables of its paper, the one that is `printed_as` there
    or in another table. `variant` N of C_MSVNet_Iter counts refinements: 0 is the plain pass.
    """

    paper: str
    table: str
    dataset: str
    split_protocol: str
    method: str
    printed_as: str
    variant: str
    task: Literal["seg", "cls", "cost"]
    metric: str
    mean: float
    sd: float | None
    unit: str
    higher_is_better: bool
    note: str


@cache
def load_published() -> tuple[PublishedNumber, ...]:
    """All published numbers, in the order of papers and tables."""
    path = CONFIGS / "published.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        names = [field.name for field in fields(PublishedNumber)]
        if reader.fieldnames != names:
            raise InputError("has other columns than expected", remedy=f"they are {', '.join(names)}", path=path)
        return tuple(_number(row) for row in reader)


def published_for(columns: Mapping[str, str]) -> tuple[PublishedNumber, ...]:
    """The rows whose columns equal `columns`, as in a recipe's `published_as`; none for an empty mapping."""
    for name in columns:
        if name not in _NAMES:
            raise unknown_name("column of the published numbers", name, _NAMES)
    if not columns:
        return ()
    return tuple(
        row for row in load_published() if all(getattr(row, name) == value for name, value in columns.items())
    )


_NAMES = ("paper", "table", "dataset", "method", "variant", "task", "metric")


def _number(row: Mapping[str, str]) -> PublishedNumber:
    texts = {name: row[name] for name in ("paper", "table", "dataset", "split_protocol", "method", "printed_as")}
    task = row["task"]
    if task not in ("seg", "cls", "cost"):
        raise unknown_name("task of a published number", task, ("seg", "cls", "cost"))
    return PublishedNumber(
        **texts,
        variant=row["variant"],
        task=task,
        metric=row["metric"],
        mean=float(row["mean"]),
        sd=float(row["sd"]) if row["sd"] else None,
        unit=row["unit"],
        higher_is_better=row["higher_is_better"] == "1",
        note=row["note"],
    )
