"""The figures of one set of cases, as they stand in `metrics.json` and wherever else results are written.

The fields are the keys of the files. What every metric means, its unit and which direction is better says the
catalogue, `bustle.evaluation.metrics`; a part that was scored holds all metrics of its catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bustle.core.config import INLINE, LEFT_OUT_AT_DEFAULT
from bustle.evaluation.metrics import (
    ANSWERS,
    CATALOGUES,
    CLASSIFICATION,
    CONSISTENCY,
    DETECTION,
    LESION_DETECTION,
    SEGMENTATION,
)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One metric over `n` cases (for lesions found: over `n` lesions), in `unit`. Undefined values are None.

    `ci95` is the 95 % interval from resampling whole groups. `sd` (ddof 1) and `median` are those over cases, None
    for a metric that no single case has. `count` of the `n` cases were counted, for a rate. `empty_policy` says what
    an empty mask scores; `n_undefined` further cases have no value under it.
    """

    mean: float | None
    sd: float | None
    median: float | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    ci95: tuple[float, float] | None
    n: int
    unit: str
    count: int | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    n_undefined: int | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    empty_policy: str | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)


Estimates = Mapping[str, Estimate]
"""By the metric's name in its catalogue."""


@dataclass(frozen=True, kw_only=True)
class OneClassFigures:
    """One class against the rest, over its `n` cases and all others; fractions, None where undefined."""

    n: int
    sensitivity: float | None
    specificity: float | None
    precision: float | None
    npv: float | None
    f1: float | None
    auc: float | None


@dataclass(frozen=True, kw_only=True)
class ClassFigures:
    """The classification of `n` cases; `average` says over which classes, `confusion` is true x decided class."""

    classes: tuple[str, ...]
    positive_class: str
    average: str
    n: int
    confusion: tuple[tuple[int, ...], ...]
    estimates: Estimates = field(metadata=INLINE)
    per_class: Mapping[str, OneClassFigures]

    def __post_init__(self) -> None:
        check_complete(self.estimates, CLASSIFICATION)


@dataclass(frozen=True, kw_only=True)
class FrocPoints:
    """The points of a FROC curve, from the surest candidate to the least sure."""

    false_positives_per_case: tuple[float, ...]
    sensitivity: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class DetectionBySize:
    """The sensitivity for lesions up to `border` (in `unit`) and above it, None without such lesions."""

    unit: str
    border: float
    small: Estimate | None
    large: Estimate | None


@dataclass(frozen=True, kw_only=True)
class DetectionFigures:
    """The lesions that were found by `hit_rule`; a candidate counts from a score of `threshold` on."""

    hit_rule: str
    threshold: float
    n_cases: int
    n_lesions: int
    curve: FrocPoints
    estimates: Estimates = field(metadata=INLINE)
    by_size: DetectionBySize

    def __post_init__(self) -> None:
        check_complete(self.estimates, LESION_DETECTION)


@dataclass(frozen=True, kw_only=True)
class MaskFigures:
    """The outlines of `n_cases` cases; `segmentation` is None where no mask could be scored."""

    n_cases: int
    segmentation: Estimates | None

    def __post_init__(self) -> None:
        check_complete(self.segmentation, SEGMENTATION | DETECTION)


@dataclass(frozen=True, kw_only=True)
class CaseFigures(MaskFigures):
    """Outlines, classes, and whether the two agree; a part that could not be scored is None."""

    classification: ClassFigures | None
    consistency: Estimates | None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_complete(self.consistency, CONSISTENCY)


@dataclass(frozen=True, kw_only=True)
class AnswerFigures(CaseFigures):
    """The outlines, calibrated classes and agreement of answers, and what they promise."""

    estimates: Estimates = field(metadata=INLINE)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_complete(self.estimates, ANSWERS)


@dataclass(frozen=True, kw_only=True)
class SizeFigures:
    """The cases by the size of their lesions: `borders` in `unit` between the strata, from small to large."""

    unit: str
    borders: tuple[float, ...]
    strata: Mapping[str, CaseFigures]


@dataclass(frozen=True, kw_only=True)
class ShortFigure:
    """A mean over `n` cases, None of too few, with its 95 % interval over groups."""

    value: float | None
    ci95: tuple[float, float] | None
    n: int

    @classmethod
    def of(cls, estimate: Estimate | None, *, least: int = 0) -> ShortFigure:
        """Of an estimate over fewer than `least` cases only their number; None is one over none."""
        if estimate is None:
            return cls(value=None, ci95=None, n=0)
        if estimate.n < least:
            return cls(value=None, ci95=None, n=estimate.n)
        return cls(value=estimate.mean, ci95=estimate.ci95, n=estimate.n)


@dataclass(frozen=True, kw_only=True)
class Subgroup:
    """Cases that share something: `kind` (such as "device") and `name`."""

    kind: str
    name: str
    n: int
    n_malignant: int
    dice: ShortFigure
    missed_lesions: ShortFigure
    auc: ShortFigure


def estimates_of(figures: object, part: str) -> Estimates | None:
    """The metrics of one part of `CATALOGUES`, None where it was not scored."""
    if part not in CATALOGUES:
        raise KeyError(part)
    found = getattr(figures, part)
    return found.estimates if isinstance(found, ClassFigures | DetectionFigures) else found


def check_complete(found: Mapping[str, object] | None, catalogue: Mapping[str, object]) -> None:
    """Raises `ValueError` where metrics of the catalogue are missing, or others are there."""
    if found is None:
        return
    unknown, missing = set(found) - set(catalogue), set(catalogue) - set(found)
    if unknown or missing:
        raise ValueError(
            " and ".join(
                [f"has no metric {name}" for name in sorted(missing)]
                + [f"has an unknown key {name}" for name in sorted(unknown)]
            )
        )
