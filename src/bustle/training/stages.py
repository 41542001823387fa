"""The stages of a recipe: trainings in sequence, each with its own settings and its own folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bustle.core.config import apply_overrides, from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.recipe import Recipe, Stage

FOLDER = "stages"


@dataclass(frozen=True)
class StageTraining:
    """One stage: `recipe` has its settings and no stages; `name` is None for a recipe that has none either."""

    name: str | None
    recipe: Recipe
    located_only: bool
    folder: Path


def stages_of(recipe: Recipe, *, folder: Path) -> list[StageTraining]:
    """The trainings of a recipe in order. The last one writes into `folder`, the others into `folder/stages/<name>`.

    Raises `InputError` for a stage whose settings are wrong, that has another's name, or that changes what all
    stages share: the network, and how cases are prepared for it.
    """
    if not recipe.stages:
        return [StageTraining(None, recipe, False, folder)]
    names = [stage.name for stage in recipe.stages]
    if len(set(names)) < len(names) or not all(name.replace("-", "").isalnum() for name in names):
        raise InputError(
            f"the stages are named {', '.join(names)}", remedy="give each a name of its own, of letters and digits"
        )
    last = len(names) - 1
    return [
        StageTraining(
            stage.name,
            _with_settings_of(stage, recipe),
            stage.cases == "located",
            folder if number == last else folder / FOLDER / stage.name,
        )
        for number, stage in enumerate(recipe.stages)
    ]


def _with_settings_of(stage: Stage, recipe: Recipe) -> Recipe:
    mapping: dict[str, Any] = to_mapping(recipe) | {"stages": []}
    for key, value in stage.set.items():
        mapping = apply_overrides(mapping, [f"{key}={yaml.safe_dump(value, default_flow_style=True)}"])
    changed = from_mapping(Recipe, mapping, where=f"stage {stage.name}")
    if (changed.model, changed.data) != (recipe.model, recipe.data):
        raise InputError(
            f"stage {stage.name} changes the model or the data section",
            remedy="change them for all stages, in the recipe itself",
        )
    return changed
