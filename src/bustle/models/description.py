"""What a recipe's network is and costs, for people; answers for the shipped recipes without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

from bustle.core.network import Task
from bustle.core.recipe import Recipe
from bustle.models.counts import Counts
from bustle.models.spec_text import read_spec_text


@dataclass(frozen=True, kw_only=True)
class Description:
    """A recipe's network; the counts are those of `Counts`, `deviations` the network's and the recipe's."""

    id: str
    title: str
    task: Task
    dims: int
    params: int
    trainable_params: int
    gmacs: float
    citation: str
    deviations: tuple[str, ...]


def describe(recipe: Recipe, *, counts: Counts | None = None) -> Description:
    """Describe the network of `recipe` with the given counts, or counted now."""
    if counts is None:
        from bustle.models.counting import count

        counts = count(recipe)
    stated = read_spec_text(recipe.model.id)
    return Description(
        id=recipe.id,
        title=recipe.title,
        task=counts.task,
        dims=stated.dims,
        params=counts.params,
        trainable_params=counts.trainable_params,
        gmacs=counts.gmacs,
        citation=recipe.citation,
        deviations=(*stated.deviations, *recipe.deviations),
    )
