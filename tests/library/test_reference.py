"""The Python reference names every type that a user of the library can meet."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import bustle

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"


NAMES = {
    name: value
    for module in (
        "core.types",
        "data.audit.audit",
        "data.splits.splits",
        "evaluation.comparison_results",
        "evaluation.results",
        "inference.predictor",
        "library.drawn_prediction",
        "library.models",
    )
    for name, value in vars(import_module(f"bustle.{module}")).items()
}
"""Names of annotations that are imported for checkers alone."""


def types_in(hint: Any) -> Iterator[type]:
    """The classes of this project within a type hint."""
    for argument in typing.get_args(hint):
        yield from types_in(argument)
    if inspect.isclass(hint) and hint.__module__.startswith("bustle.") and typing.get_origin(hint) is None:
        yield hint


def result_of(function: Any) -> Any:
    return eval(function.__annotations__["return"], function.__globals__, NAMES)


def hints_of(kind: Any) -> dict[str, Any]:
    """By name, the hints of what `kind` returns: of a function its result, of a class its public parts."""
    if not inspect.isclass(kind):
        return {"return": result_of(kind)}
    found = typing.get_type_hints(kind, localns=NAMES) if dataclasses.is_dataclass(kind) else {}
    properties = {name: part for name, part in vars(kind).items() if isinstance(part, property)}
    found |= {name: result_of(part.fget) for name, part in properties.items()}
    return {name: hint for name, hint in found.items() if not name.startswith("_")}


def reached() -> set[type]:
    waiting: list[Any] = [getattr(bustle, name) for name in bustle.__all__ if name != "__version__"]
    found: set[type] = set()
    while waiting:
        for hint in hints_of(waiting.pop()).values():
            new = set(types_in(hint)) - found
            found |= new
            waiting += new
    return found


def test_every_type_that_can_be_reached_is_in_the_reference():
    named = set(re.findall(r"autoclass:: (bustle\.[\w.]+)", PAGE.read_text(encoding="utf-8")))
    assert {f"{kind.__module__}.{kind.__qualname__}" for kind in reached()} - named == set()
