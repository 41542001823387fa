"""What a network's file says of itself, read without importing it: importing it takes PyTorch and seconds."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bustle.models import zoo


@dataclass(frozen=True)
class SpecText:
    """The fields of the same names of a `ModelSpec`, which its file writes as literals."""

    dims: int
    deviations: tuple[str, ...]


@cache  # many recipes share a network
def read_spec_text(model_id: str) -> SpecText:
    """Raises `InputError` for an unknown network, `ValueError` where its SPEC computes one of the fields."""
    path = zoo.path(model_id)
    fields = _spec_fields(path)
    try:
        return SpecText(dims=ast.literal_eval(fields["dims"]), deviations=ast.literal_eval(fields["deviations"]))
    except (KeyError, ValueError):
        raise ValueError(f"{path}: dims and deviations of SPEC are to be written out") from None


def _spec_fields(path: Path) -> dict[str | None, Any]:
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        match statement:
            case ast.Assign(targets=[ast.Name("SPEC")], value=ast.Call(keywords=keywords)):
                return {keyword.arg: keyword.value for keyword in keywords}
    return {}
