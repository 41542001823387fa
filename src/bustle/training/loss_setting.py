"""What a recipe's losses know of its network and of the training part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bustle.core.config import from_mapping
from bustle.core.recipe import Recipe
from bustle.losses.setting import LossSetting
from bustle.models import zoo


def loss_setting(recipe: Recipe, *, labels: NDArray[np.int64] | None = None) -> LossSetting:
    """`labels` are those of the training cases: indices into the recipe's classes, -1 where a case has none."""
    spec = zoo.get(recipe.model.id)
    config = from_mapping(spec.config_type, recipe.model.config, where="model.config")
    classes = recipe.data.classes
    counts = None if labels is None else tuple(np.bincount(labels[labels >= 0], minlength=len(classes)).tolist())
    return LossSetting(
        mask_meaning=spec.mask_meaning(config),
        map_meanings=spec.map_meanings(config),
        classes=classes,
        class_counts=counts,
    )
