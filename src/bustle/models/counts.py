"""What the shipped recipes' networks cost, counted once and kept in `configs/counts.json`.

`scripts/generate_systems_table.py` writes the file and the tests count again. Everything else about a recipe is
read from the recipe and its network's file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from bustle.core.config import from_mapping, to_mapping
from bustle.core.files import read_json
from bustle.core.network import Task
from bustle.core.recipe import CONFIGS, Recipe

COUNTS = CONFIGS / "counts.json"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """`gmacs` are 10⁹ multiply-accumulates for one image at the recipe's size; `task` is what the outputs say."""

    task: Task
    params: int
    trainable_params: int
    gmacs: float


@cache
def shipped_counts() -> dict[str, Counts]:
    """Of every shipped recipe and ablation, by id."""
    return {name: from_mapping(Counts, entry, where=f"counts of {name}") for name, entry in read_json(COUNTS).items()}


def network_key(recipe: Recipe) -> str:
    """Equal for recipes that share network and input size, and so their counts."""
    model, data = recipe.model, recipe.data
    network = (model.id, model.config, model.refinements, data.channels, len(data.classes), data.size)
    return json.dumps(to_mapping(network), sort_keys=True)
