"""What a sweep may change: keys of a recipe, and which values each may take."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from bustle.core.config import apply_overrides, assignment, from_mapping, to_mapping, with_exponential_numbers
from bustle.core.errors import InputError
from bustle.core.recipe import Recipe

Kind = Literal["choice", "uniform", "log", "int"]
FORMS = "choice(A,B,…), uniform(LOW,HIGH), log(LOW,HIGH) or int(LOW,HIGH)"
_FORM = re.compile(r"\s*([a-z]+)\((.*)\)\s*", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """A key of the recipe by its path. `values` are those of a choice, else the least and the greatest.

    `log` is uniform in the logarithm, `int` takes whole numbers and both ends.
    """

    key: str
    kind: Kind
    values: tuple[Any, ...]


def parse_dimension(text: str) -> Dimension:
    """`KEY=KIND(…)`, the values as YAML. Raises `InputError` for anything else."""
    import yaml

    from bustle.core.yaml_text import load_yaml

    key, sign, form = text.partition("=")
    found = _FORM.fullmatch(form)
    if not sign or not key or found is None or found[1] not in get_args(Kind):
        raise InputError(f"--over '{text}' says not which values to try", remedy=f"write KEY={FORMS}")
    kind, inside = found[1], found[2]
    try:
        values = with_exponential_numbers(load_yaml(f"[{inside}]"))
    except yaml.YAMLError:
        raise InputError(f"the values of --over {key} are not YAML", remedy="quote them") from None
    if kind == "choice":
        if len(values) < 2 or any(value in values[:place] for place, value in enumerate(values)):
            raise InputError(f"--over {key} needs two different values or more", remedy=f"write {key}=choice(A,B,…)")
        return Dimension(key=key, kind=kind, values=tuple(values))
    return Dimension(key=key, kind=kind, values=_ends(key, kind, values))  # type: ignore[arg-type]


def _ends(key: str, kind: str, values: Sequence[Any]) -> tuple[float, ...]:
    try:
        ends = tuple((int if kind == "int" else float)(str(value)) for value in values)
    except ValueError:
        ends = ()
    if len(ends) != 2 or not all(map(math.isfinite, ends)) or ends[0] >= ends[1] or (kind == "log" and ends[0] <= 0):
        wanted = {"int": "two whole numbers", "log": "two numbers above 0"}.get(kind, "two numbers")
        raise InputError(f"--over {key}={kind}(…) needs {wanted}, the smaller first", remedy=f"write {FORMS}")
    return ends


def check_space(recipe: Recipe, space: Sequence[Dimension]) -> None:
    """Raises `InputError` for keys that stand twice, that decide what is measured, or that the recipe does not have.

    Every end and choice is tried on the recipe alone: together, or between the ends, they may still not fit.
    """
    from bustle.training.checks import check_recipe

    keys = [dimension.key for dimension in space]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise InputError(f"--over names {twice} twice", remedy="give all its values at once")
    measured = ["protocol", "training.monitor", "data.classes", "data.class_groups"]
    if recipe.training.monitor == "loss":
        measured += ["losses", "weighting"]
    for key in keys:
        if any(key == each or key.startswith(f"{each}.") for each in measured):
            raise InputError(
                f"--over {key} changes what trials are compared by",
                remedy="compare such runs with `bustle compare`"
                + (", or choose --set training.monitor=score" if recipe.training.monitor == "loss" else ""),
            )
    for dimension in space:
        if dimension.key in ("training.precision", "training.channels_last") and "auto" in dimension.values:
            raise InputError(
                f"--over {dimension.key} takes no auto, which is decided for all trials together",
                remedy=f"name its values, or choose --set {dimension.key}=auto",
            )
        for value in dimension.values:
            try:
                check_recipe(with_values(recipe, {dimension.key: value}))
            except InputError as error:
                raise InputError(
                    f"--over {dimension.key}, value {value}: {error.problem}", remedy=error.remedy
                ) from None


def with_values(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """As `--set` does; raises `InputError` for a key or value that there is not."""
    changes = [assignment(key, value) for key, value in values.items()]
    return from_mapping(Recipe, apply_overrides(to_mapping(recipe), changes), where="recipe")


def is_finite(space: Sequence[Dimension]) -> bool:
    return all(dimension.kind == "choice" for dimension in space)


def number_of_settings(space: Sequence[Dimension]) -> float:
    """Infinite where a key takes any number of a range."""
    return math.prod(math.inf if (values := _countable(dimension)) is None else len(values) for dimension in space)


def combinations(space: Sequence[Dimension]) -> Iterator[dict[str, Any]]:
    """Of choices and whole numbers, the last one changing fastest."""
    for values in itertools.product(*(_countable(dimension) or () for dimension in space)):
        yield {dimension.key: value for dimension, value in zip(space, values, strict=True)}


def _countable(dimension: Dimension) -> Sequence[Any] | None:
    if dimension.kind == "int":
        least, greatest = dimension.values
        return range(least, greatest + 1)
    return dimension.values if dimension.kind == "choice" else None
