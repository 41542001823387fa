"""Which model made a prediction: what every prediction carries, and a result of predictions that share it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bustle.core.config import INLINE, LEFT_OUT_AT_DEFAULT
from bustle.core.views import Views


@dataclass(frozen=True, kw_only=True)
class NetworkWeights:
    """The weights file of one fold that takes part in the mean."""

    fold: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ModelProvenance:
    """A model of bustle, and what ran it.

    `model` and `recipe` are ids, `package` is the SHA-256 of a package's graph, `decision_rule` that of the rule by
    which outputs become answers. `views` are what an answer is the mean over. `runtime` names the library that ran
    it, with its version; None where an older bustle did not record it. `bustle` is the version, None of a source tree
    that is not installed. `unfinished` names the folds whose training had not ended.
    """

    model: str
    recipe: str
    weights: tuple[NetworkWeights, ...]
    package: str | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    decision_rule: str | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    views: Views = field(default=Views(), metadata=LEFT_OUT_AT_DEFAULT)
    unfinished: tuple[str, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)
    title: str
    runtime: str | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    bustle: str | None

    def same_answers_as(self, other: PredictionProvenance | None) -> bool:
        """Whether it is the same model: another library, or version of it, gives the same answers."""
        return isinstance(other, ModelProvenance) and replace(self, runtime=None) == replace(other, runtime=None)

    def same_files_as(self, other: ModelProvenance) -> bool:
        """Whether both were opened from the same weights, graph, views and rule."""
        own, others = ((each.weights, each.package, each.views, each.decision_rule) for each in (self, other))
        return own == others


@dataclass(frozen=True)
class ForeignProvenance:
    """What another tool wrote about itself into a `prediction.json`: plain values, kept and shown as they are."""

    entries: Mapping[str, Any] = field(metadata=INLINE)

    def __post_init__(self) -> None:
        """Raises `ValueError` for NaN and infinity, which Python's JSON reads and no result can hold."""
        for name, value in self.entries.items():
            _check_finite(value, place=name)


PredictionProvenance = ModelProvenance | ForeignProvenance
"""As a file tells it: bustle's own has all of `ModelProvenance`'s needed keys."""


def _check_finite(value: Any, *, place: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} {value} must be a finite number")
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, entry in entries:
        _check_finite(entry, place=f"{place}.{name}")
