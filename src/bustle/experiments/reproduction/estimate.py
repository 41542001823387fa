"""How long the runs behind tables will take, from a measured step of each network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bustle.core.recipe import Protocol, Recipe
from bustle.core.types import Collection
from bustle.data.class_groups import in_class_groups
from bustle.experiments.reproduction.runs import RowRun, Settings, open_folds
from bustle.experiments.reproduction.smoke import smoke_form
from bustle.models.counts import network_key

BEYOND_STEPS = 1.5
"""A guess at what augmentation, updates, validation, prediction and scoring add to the steps; not measured."""


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """`done` of `folds` folds are there already; `seconds` is the estimate for the others."""

    run: RowRun
    recipe: Recipe
    folds: int
    done: int
    seconds: float


def planned_runs(
    runs: Sequence[RowRun],
    *,
    out: Path,
    settings: Settings,
    collections: Mapping[tuple[str, ...], Collection],
    measure: Callable[[Recipe], float],
) -> list[PlannedRun]:
    """`measure` gives the seconds of a training step, and is asked once for each network, batch size and stage."""
    steps: dict[tuple[str, int], float] = {}
    found = []
    for run in runs:
        recipe, protocol = settings.recipe(run.recipe), run.protocol
        folds = settings.folds(run)
        done = folds - len(open_folds(run, out=out, settings=settings))
        key = (network_key(recipe), recipe.training.batch_size)
        if done < folds and key not in steps:
            steps[key] = measure(recipe)
        cases = _training_cases(collections[run.specs], recipe=recipe, protocol=protocol, smoke=settings.smoke)
        batches = math.ceil(cases / recipe.training.batch_size)
        seconds = (folds - done) * _epochs(recipe) * batches * steps.get(key, 0.0) * BEYOND_STEPS
        found.append(PlannedRun(run=run, recipe=recipe, folds=folds, done=done, seconds=seconds))
    return found


def _epochs(recipe: Recipe) -> int:
    """Of all stages together."""
    if not recipe.stages:
        return recipe.training.epochs
    return sum(int(stage.set.get("training.epochs", recipe.training.epochs)) for stage in recipe.stages)


def _training_cases(collection: Collection, *, recipe: Recipe, protocol: Protocol, smoke: bool) -> float:
    """About so many train in one fold: the split itself takes long to draw, and is not needed for an estimate."""
    cases = in_class_groups(collection.cases, recipe.data.class_groups)
    count: float = sum(case.label is None or case.label in recipe.data.classes for case in cases)
    if smoke:
        count = min(count, smoke_form().training(recipe).cases)
    tested = protocol.holdout if protocol.holdout is not None else 1 / protocol.folds
    chosen = {"inner": protocol.validation_fraction * (1 - tested), "fold": 1 / protocol.folds}
    return count * (1 - tested - chosen.get(protocol.validation, 0.0))
