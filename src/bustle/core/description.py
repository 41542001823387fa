"""What a recipe's network is and costs; those of the shipped recipes are known without building them.

`configs/descriptions.json` is written by `scripts/generate_systems_table.py` and checked by the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from bustle.core.config import from_mapping
from bustle.core.files import read_json
from bustle.core.recipe import CONFIGS
from bustle.core.types import Task

DESCRIPTIONS = CONFIGS / "descriptions.json"


@dataclass(frozen=True, kw_only=True)
class Description:
    """A recipe's network. `gmacs` are 10⁹ multiply-accumulates for one image at the recipe's size."""

    id: str
    title: str
    task: Task
    dims: int
    params: int
    trainable_params: int
    gmacs: float
    citation: str
    deviations: tuple[str, ...]


@cache
def shipped_descriptions() -> dict[str, Description]:
    """Of every shipped recipe and ablation, by id."""
    entries = read_json(DESCRIPTIONS)
    return {entry["id"]: from_mapping(Description, entry, where=f"description of {entry['id']}") for entry in entries}
