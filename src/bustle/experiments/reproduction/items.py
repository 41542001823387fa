"""The tables and figures that `bustle reproduce PAPER[/TABLE]` knows, by the names that it takes."""

from __future__ import annotations

from dataclasses import dataclass

from bustle.core.errors import InputError, unknown_name
from bustle.experiments.reproduction.catalogue import Block, Section, sections


@dataclass(frozen=True, kw_only=True)
class Item:
    """One table or figure, such as `table-7`, of the block of them that share their recipes."""

    section: Section
    block: Block
    name: str

    @property
    def title(self) -> str:
        """`RMTL-Net, Table 7`."""
        kind, _, number = self.name.partition("-")
        printed = {"table": "Table", "fig": "Fig.", "section": "Section"}.get(kind)
        return f"{self.section.title}, {self.block.title if printed is None else f'{printed} {number}'}"

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of the published numbers that belong to it."""
        return self.block.items[self.name]

    @property
    def is_run(self) -> bool:
        """Whether it has figures: recipes to train, or networks to count."""
        return bool(self.block.recipes or self.block.show)


def find_items(text: str) -> list[Item]:
    """One item for `PAPER/TABLE`; all that have figures for `PAPER`.

    Raises `InputError` with the nearest names for an unknown paper or table, and for an item without figures.
    """
    paper, slash, name = text.strip("/").partition("/")
    papers = {section.paper: section for section in sections()}
    if paper not in papers:
        raise unknown_name("paper", paper, papers)
    section = papers[paper]
    items = {item: Item(section=section, block=block, name=item) for block in section.blocks for item in block.items}
    if not slash:
        return [item for item in items.values() if item.is_run]
    name = name.lower()
    if name not in items:
        raise unknown_name(f"table or figure of {paper}", name, items)
    item = items[name]
    if item.block.without:
        raise InputError(f"{item.title} has no figures to reproduce", remedy=f"see why: {item.block.without}")
    if not item.is_run:
        remedy = "its command stands in docs/reference/reproduce.md"
        raise InputError(f"{item.title} is made of pictures of a trained run", remedy=remedy)
    return [item]
