"""The probability of malignancy from measured descriptors: a logistic regression whose coefficients are data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bustle.inference.descriptors.definitions import DEFINITIONS

FREE_OF_SPACING = tuple(
    name
    for name, definition in DEFINITIONS.items()
    if 2 in definition.dims and definition.quantity not in ("length", "area", "volume")
)
"""The descriptors of an image that mean the same whether its pixels' size is known or not."""


@dataclass(frozen=True, kw_only=True)
class DescriptorTerm:
    """One descriptor's part of the sum; `mean` and `sd` are those of the lesions that the model was fitted on.

    A lesion in which it could not be measured counts as an average one.
    """

    mean: float
    sd: float
    coefficient: float

    def part(self, value: float | None) -> float:
        """Coefficient times standardised value: what the descriptor adds to the log odds."""
        return 0.0 if value is None else self.coefficient * (value - self.mean) / self.sd


@dataclass(frozen=True, kw_only=True)
class DescriptorModel:
    """Log odds of the `positive_class` = `intercept` + the sum of the terms, by descriptor."""

    positive_class: str
    intercept: float
    terms: Mapping[str, DescriptorTerm]

    def __post_init__(self) -> None:
        unknown = next((name for name in self.terms if name not in DEFINITIONS), None)
        if unknown is not None:
            raise ValueError(f"'{unknown}' is no measured descriptor")

    def probability(self, values: Mapping[str, float | None]) -> float:
        """The probability of the positive class for a lesion's `LesionDescriptors.values()`."""
        return _probability(self.log_odds(values))

    def contributions(self, values: Mapping[str, float | None]) -> dict[str, float]:
        """By how much each descriptor moves the probability, the greatest first.

        The probability minus that of the same lesion with the descriptor at its mean. The sigmoid is not linear, so
        these do not sum to the probability.
        """
        log_odds = self.log_odds(values)
        moved = {
            name: _probability(log_odds) - _probability(log_odds - part) for name, part in self.parts(values).items()
        }
        return dict(sorted(moved.items(), key=lambda item: -abs(item[1])))

    def log_odds(self, values: Mapping[str, float | None]) -> float:
        """Of the positive class against the other."""
        return self.intercept + sum(self.parts(values).values())

    def parts(self, values: Mapping[str, float | None]) -> dict[str, float]:
        """What each descriptor adds to the log odds; a name without a value was not measured."""
        return {name: term.part(values.get(name)) for name, term in self.terms.items()}


def _probability(log_odds: float) -> float:
    tail = math.exp(-abs(log_odds))
    return 1 / (1 + tail) if log_odds >= 0 else tail / (1 + tail)
