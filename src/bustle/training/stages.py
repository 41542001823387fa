"""The stages of a recipe: trainings in sequence, each with its own settings and its own folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bustle.core.config import apply_overrides, assignment, from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.recipe import Recipe, Stage
from bustle.core.run_layout import FoldLayout


@dataclass(frozen=True)
class StageTraining:
    """One stage: `recipe` has its settings and no stages; `name` is None for a recipe that has none either.

    `takes` are the parts of the network that it takes from the stage before, None for all.
    """

    name: str | None
    recipe: Recipe
    located_only: bool
    folder: Path
    takes: tuple[str, ...] | None = None


def stages_of(recipe: Recipe, *, folder: Path) -> list[StageTraining]:
    """The trainings of a recipe in order. The last one writes into `folder`, the others into `folder/stages/<name>`.

    Raises `InputError` for a stage whose settings are wrong, that has another's name, or that changes what all
    stages share: the network, how cases are prepared for and shown to it, and the seed, which decides whose location
    is known.
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
            folder if number == last else FoldLayout(folder).stage(stage.name).path,
            stage.takes,
        )
        for number, stage in enumerate(recipe.stages)
    ]


def _with_settings_of(stage: Stage, recipe: Recipe) -> Recipe:
    mapping: dict[str, Any] = to_mapping(recipe) | {"stages": []}
    for key, value in stage.set.items():
        mapping = apply_overrides(mapping, [assignment(key, value)])
    changed = from_mapping(Recipe, mapping, where=f"stage {stage.name}")
    if _shared_by_all_stages(changed) != _shared_by_all_stages(replace(recipe, stages=())):
        raise InputError(
            f"stage {stage.name} changes the model or the data section, the views, the rule, the seed or what the "
            "recipe is",
            remedy="change them for all stages, in the recipe itself",
        )
    return changed


def _shared_by_all_stages(recipe: Recipe) -> tuple[Any, ...]:
    """What a stage cannot have for itself; all else is about its training."""
    identity = (recipe.id, recipe.title, recipe.citation, recipe.protocol, recipe.published_as, recipe.stages)
    return (*identity, recipe.model, recipe.data, recipe.views, recipe.rule, recipe.training.seed)
