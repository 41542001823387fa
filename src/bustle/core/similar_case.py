"""A training case that looks to a network like the image it answers about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SimilarCase:
    """The case's data set (`source`) and class, and how far it lies from the image; no picture and no name.

    A `distance` of 1 is the median one from a training case to the nearest other one.
    """

    source: str
    class_name: str
    distance: float

    def __post_init__(self) -> None:
        if not self.distance >= 0:
            raise ValueError(f"distance {self.distance} must not be negative")

    def __str__(self) -> str:
        return f"{self.class_name} ({self.source}, {self.distance:.1f})"
