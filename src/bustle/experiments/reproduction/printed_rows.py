"""The rows of a table or figure: a method on a data set, its printed numbers, and the recipes that give ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bustle.core.published import PublishedNumber, load_published
from bustle.experiments.reproduction.catalogue import Section, recipes_of_row
from bustle.experiments.reproduction.items import Item

Extreme = Literal["least", "greatest"]

READERS = {"BUSI": "busi", "UDIAT": "udiat", "BUS (UDIAT)": "udiat"}
"""The reader of each data set that can be obtained; all others are private."""


@dataclass(frozen=True, kw_only=True)
class PrintedRow:
    """`recipes` has one recipe; of an `extreme` of a sweep all of its, of a method that is not built none.

    Of costs of several networks together it has all of them.
    """

    method: str
    variant: str
    dataset: str
    recipes: tuple[str, ...]
    extreme: Extreme | None = None
    counted: bool = False
    numbers: tuple[PublishedNumber, ...] = ()

    @property
    def reader(self) -> str | None:
        """That of its data set; None for private data."""
        return READERS.get(self.dataset)


def rows_of(item: Item) -> list[PrintedRow]:
    """The rows that the paper prints; of a figure without numbers, and of a sweep, one for each recipe."""
    printed = _printed(item)
    by_recipe = not printed or (item.block.sweep is not None and all(row.extreme for row in printed))
    return [*printed, *(_of_recipes(item) if by_recipe else [])]


def _printed(item: Item) -> list[PrintedRow]:
    found: dict[tuple[str, str, str], list[PublishedNumber]] = {}
    for number in load_published():
        if number.paper == item.section.paper and number.table in item.tables:
            found.setdefault((number.dataset, number.method, number.variant), []).append(number)
    return [
        PrintedRow(
            method=numbers[0].printed_as,
            variant=variant,
            dataset=dataset,
            recipes=_recipes(numbers[0], item),
            extreme=_extreme(variant),
            counted=bool(item.block.show),
            numbers=tuple(numbers),
        )
        for (dataset, _, variant), numbers in found.items()
    ]


def _extreme(variant: str) -> Extreme | None:
    last = variant.rpartition(";")[2]
    return last if last in ("least", "greatest") else None


def _recipes(number: PublishedNumber, item: Item) -> tuple[str, ...]:
    block = item.block
    if number.method in block.quoted:
        return ()
    if _extreme(number.variant) is not None:
        return tuple(block.named(recipe) for recipe in block.recipes)
    return recipes_of_row(number, block)


def _of_recipes(item: Item) -> list[PrintedRow]:
    block = item.block
    datasets = [_dataset(spec, item.section) for spec in block.data] or [""]
    counted = bool(block.show)
    return [
        PrintedRow(method=recipe, variant="", dataset=dataset, recipes=(block.named(recipe),), counted=counted)
        for dataset in datasets
        for recipe in block.recipes or block.show
    ]


def _dataset(spec: str, section: Section) -> str:
    reader = spec.partition(":")[0]
    return next((title for title, own in READERS.items() if own == reader), section.private or reader)
