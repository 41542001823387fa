"""`--smoke`: every row in minutes on a processor, to see that it runs; its figures say nothing about the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bustle.core.config import assignment, from_mapping
from bustle.core.recipe import CONFIGS, Recipe, load_recipe, read_yaml
from bustle.core.types import Case, Collection

SMOKE = CONFIGS / "smoke.yaml"


@dataclass(frozen=True, kw_only=True)
class SmallTraining:
    """Of images or volumes: what replaces the recipe's own, and how many cases of a data set take part."""

    size: tuple[int, ...]
    cases: int
    epochs: int
    batch_size: int
    learning_rate: float
    spacing_mm: float | None = None


@dataclass(frozen=True, kw_only=True)
class SmokeForm:
    """The content of `configs/smoke.yaml`; `stand_in` has the generated data for private images and volumes."""

    images: SmallTraining
    volumes: SmallTraining
    stand_in: Mapping[str, str]
    networks: Mapping[str, Mapping[str, Any]]

    def training(self, recipe: Recipe) -> SmallTraining:
        return self.images if len(recipe.data.size) == 2 else self.volumes


def small_form_of(recipe: Recipe) -> str:
    """`64 x 64, 2 epochs, at most 96 cases, 1 fold`, of a recipe in the small form."""
    size, epochs = " x ".join(map(str, recipe.data.size)), recipe.training.epochs
    return f"{size}, {epochs} epoch{'s' * (epochs != 1)}, at most {smoke_form().training(recipe).cases} cases, 1 fold"


@cache
def smoke_form() -> SmokeForm:
    return from_mapping(SmokeForm, read_yaml(SMOKE), where="smoke")


def small_recipe(name: str, *, overrides: Sequence[str] = ()) -> Recipe:
    """A shipped recipe in the small form, with `overrides` on top."""
    recipe = load_recipe(name)
    small = smoke_form().training(recipe)
    changes: dict[str, Any] = {
        "data.size": list(small.size),
        "model.encoder_weights": None,
        "optimizer.lr": small.learning_rate,
        "training.epochs": small.epochs,
        "training.batch_size": small.batch_size,
    }
    if small.spacing_mm is not None:
        changes["data.spacing_mm"] = small.spacing_mm
    changes |= {f"model.config.{key}": value for key, value in _network(recipe).items()}
    changes |= {f"stages.{number}.set.training.epochs": small.epochs for number in range(len(recipe.stages))}
    for number, loss in enumerate(recipe.losses):
        share = small.size[0] / recipe.data.size[0]
        if "ring_width" in loss.options:
            changes[f"losses.{number}.ring_width"] = max(1, round(loss.options["ring_width"] * share))
        if loss.name == "lossnet":
            changes |= {f"losses.{number}.weights": "random", f"losses.{number}.layers": 1}
    return load_recipe(name, overrides=[*(assignment(key, value) for key, value in changes.items()), *overrides])


def _network(recipe: Recipe) -> Mapping[str, Any]:
    return smoke_form().networks.get(recipe.model.id, {})


def fewer_cases(collection: Collection, *, limit: int) -> Collection:
    """At most `limit` cases, the same ones each time: of every source and class its share, in the same order."""
    groups: dict[tuple[str, str | None], list[Case]] = {}
    for case in collection.cases:
        groups.setdefault((case.source, case.label), []).append(case)
    share = min(1.0, limit / max(1, len(collection.cases)))
    random = np.random.default_rng(0)
    chosen = {
        own[place].case_id
        for own in groups.values()
        for place in random.permutation(len(own))[: max(1, int(share * len(own)))]
    }
    return Collection(tuple(case for case in collection.cases if case.case_id in chosen), collection.findings)
