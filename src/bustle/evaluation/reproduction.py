"""A table or figure of a paper beside our own figures for it, as it is written and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bustle.core.provenance import Provenance


@dataclass(frozen=True, kw_only=True)
class Trainings:
    """Of how many trainings of single folds a figure is, and of how many it is to be."""

    finished: int
    wanted: int


@dataclass(frozen=True, kw_only=True)
class OwnFigure:
    """Ours, in the unit of the print, over `n` cases.

    `mean` is that over the `values` of all folds and repeats; `sd` is the spread that the protocol names, of several
    repeats the mean of theirs. `ci95` is the interval over patients, None of what is no mean over cases; of several
    repeats the t interval over them.
    `repeats` has the mean of each repeat. `trainings` is None of what is counted. `p_reference_better` is LA-Net's
    one-sided t test over repeats that the paper's own method is better; None without repeats, and of that method.
    """

    mean: float
    sd: float | None
    ci95: tuple[float, float] | None
    n: int
    values: tuple[float, ...]
    repeats: tuple[float, ...]
    trainings: Trainings | None
    p_reference_better: float | None = None

    @property
    def is_complete(self) -> bool:
        return self.trainings is None or self.trainings.finished == self.trainings.wanted


@dataclass(frozen=True, kw_only=True)
class ReproducedFigure:
    """One printed number, `published` None where none is, with ours by the paper's protocol and by the strict one.

    `same_strictly`: whether the strict protocol measures the same quantity under the metric's name.
    """

    metric: str
    unit: str
    published: float | None
    published_sd: float | None
    note: str
    as_published: OwnFigure | None
    strict: OwnFigure | None
    same_strictly: bool = True

    @property
    def strict_differs(self) -> bool:
        return self.same_strictly and self.differs(self.strict)

    def differs(self, own: OwnFigure | None) -> bool:
        """Whether ours is farther from the printed one than its SD; never where no SD is printed, or folds lack."""
        if own is None or not own.is_complete or self.published is None or self.published_sd is None:
            return False
        return abs(own.mean - self.published) > self.published_sd


@dataclass(frozen=True, kw_only=True)
class ReproducedRow:
    """A method on a data set. `reason`: why it has no figures of ours; `notes`: what a reader must know of them."""

    method: str
    variant: str
    dataset: str
    recipes: tuple[str, ...]
    reason: str
    notes: tuple[str, ...]
    figures: tuple[ReproducedFigure, ...]


@dataclass(frozen=True, kw_only=True)
class SweepFigure:
    """A figure's plot: the value along `axis` of each recipe, by the name of its line."""

    axis: str
    lines: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """The content of `PAPER-ITEM.json`.

    `flaws` are those of the paper's protocol. `smoke` says how much smaller the trainings were, empty where they are
    those of the recipes. `open_parts` counts the trainings of single folds that are still to be done.
    """

    paper: str
    item: str
    title: str
    note: str
    protocol: str
    spread: str
    flaws: tuple[str, ...]
    smoke: str
    seeds: tuple[int, ...]
    open_parts: int
    rows: tuple[ReproducedRow, ...]
    sweep: SweepFigure | None
    provenance: Provenance
