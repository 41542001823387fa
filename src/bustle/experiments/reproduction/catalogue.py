"""What the five papers' tables and figures are made of: `configs/reproduction.yaml` as typed blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from bustle.core.config import from_mapping
from bustle.core.published import PublishedNumber, load_published
from bustle.core.recipe import CONFIGS, load_recipe
from bustle.core.yaml_text import load_yaml

CATALOGUE = CONFIGS / "reproduction.yaml"


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A figure's own plot: along `axis` the value that each recipe of every line stands for."""

    axis: str
    lines: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Tables and figures with the same `recipes`, which are trained on the `data` together or one by one (`apart`).

    `items` are the tables and figures by the names that `bustle reproduce` takes, each with the tables of the
    published numbers that belong to it. `setting` stands behind the recipes' `@`. `rows` names the recipe of a
    printed row ("METHOD VARIANT") whose own recipe says another, or several whose costs add up; `quoted` are methods
    that the paper quotes and that are not built. Only the recipes of `compare` are compared, all by default; `own`
    is the paper's own method, against which the others are tested, empty where it is not compared with others. The
    plots of `sweep` stand beside all items, ROC curves beside those of `roc`. `show` counts instead of training,
    `explain` draws maps of a trained recipe by a `method`, `channels` those that its network makes by itself,
    `without` says why there is no command.
    """

    title: str
    items: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    apart: bool = False
    setting: str = ""
    recipes: tuple[str, ...] = ()
    rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    quoted: tuple[str, ...] = ()
    compare: tuple[str, ...] = ()
    own: str = ""
    sweep: Sweep | None = None
    roc: tuple[str, ...] = ()
    show: tuple[str, ...] = ()
    explain: str = ""
    channels: str = ""
    method: str = ""
    without: str = ""
    note: str = ""

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of the published numbers that the block's items hold, in their order."""
        return tuple(dict.fromkeys(table for tables in self.items.values() for table in tables))

    def named(self, recipe: str) -> str:
        return f"{recipe}@{self.setting}" if self.setting else recipe

    @property
    def data_sets(self) -> list[tuple[str, ...]]:
        return [(spec,) for spec in self.data] if self.apart else [self.data]


@dataclass(frozen=True, kw_only=True)
class Section:
    """One paper. `private` is the data set that nobody else can have, for which generated data stands."""

    paper: str
    title: str
    protocol: str
    note: str
    blocks: tuple[Block, ...]
    private: str = ""


@cache
def sections() -> tuple[Section, ...]:
    """All papers, in the order of their issue."""
    entries = load_yaml(CATALOGUE.read_text(encoding="utf-8"))
    return tuple(from_mapping(Section, entry, where="reproduction") for entry in entries)


def recipes_of_row(row: PublishedNumber, block: Block) -> tuple[str, ...]:
    """The recipes, with the block's setting, whose runs give a printed number; `LookupError` where none do.

    More than one where each is a part of a system whose costs are printed.
    """
    named = block.rows.get(f"{row.method} {row.variant}")
    if named is not None:
        return named
    for recipe in (*block.recipes, *block.show):
        published = _published_as(block.named(recipe))
        of_method = (published.get("paper"), published.get("method")) == (row.paper, row.method)
        if of_method and (not row.variant or published.get("variant", row.variant) == row.variant):
            return (block.named(recipe),)
    raise LookupError(f"no recipe of '{block.title}' is {row.method} {row.variant} of {row.paper}, {row.table}")


def recipes_of_rows(block: Block, paper: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """By method and variant the recipes of every row that the block's tables print, but for quoted methods.

    Raises `LookupError` for a row without any.
    """
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for row in load_published():
        if row.paper == paper and row.table in block.tables and row.method not in block.quoted:
            found.setdefault((row.method, row.variant), recipes_of_row(row, block))
    return found


@cache
def _published_as(recipe: str) -> Mapping[str, str]:
    return load_recipe(recipe).published_as
