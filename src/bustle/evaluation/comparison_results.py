"""What a comparison of runs amounts to: the content of `comparison.json`, typed, written and read strictly.

The fields are the keys of the file. What every metric means, its unit and which direction is better says the
catalogue, `bustle.evaluation.metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bustle.core.config import LEFT_OUT_AT_DEFAULT, from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.core.provenance import Provenance

FORMAT = 2
"""The version of the file's form; the first one had no number."""

COMPARE_AGAIN = "compare the runs again"

TestName = Literal["bootstrap", "paired_t", "delong", "pooled_t"]


@dataclass(frozen=True, kw_only=True)
class BootstrapTest:
    """Two-sided, from the difference's bootstrap values; `p` is None without any."""

    p: float | None


@dataclass(frozen=True, kw_only=True)
class PairedTTest:
    """Two-sided, over cases; `p` and `t` are None with fewer than two, or where all differ by the same amount."""

    p: float | None
    t: float | None
    degrees_of_freedom: int


@dataclass(frozen=True, kw_only=True)
class DeLongTest:
    """Two-sided, of the areas under two ROC curves; `p` and `z` are None where the difference has no spread."""

    p: float | None
    z: float | None
    standard_error: float
    ci95: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class PooledTTest:
    """One-sided, of the `values` of folds or repeats against those of the `reference`; `p` is None if none varies.

    Of repeats, the intervals are the 95 % t intervals of both means; folds share training cases and have none.
    """

    p: float | None
    reference: tuple[float, ...]
    values: tuple[float, ...]
    degrees_of_freedom: int
    reference_ci95: tuple[float, float] | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    values_ci95: tuple[float, float] | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)

    @property
    def over(self) -> str:
        return "folds" if self.values_ci95 is None else "repeats"


@dataclass(frozen=True, kw_only=True)
class MetricTests:
    """The tests of one metric of two runs, None for those that do not fit it."""

    bootstrap: BootstrapTest
    paired_t: PairedTTest | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    delong: DeLongTest | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    pooled_t: PooledTTest | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)

    def p_values(self) -> dict[TestName, float | None]:
        """The p of every test that was made."""
        made: dict[TestName, BootstrapTest | PairedTTest | DeLongTest | PooledTTest | None] = {
            "bootstrap": self.bootstrap,
            "paired_t": self.paired_t,
            "delong": self.delong,
            "pooled_t": self.pooled_t,
        }
        return {name: test.p for name, test in made.items() if test is not None}


@dataclass(frozen=True, kw_only=True)
class ComparedMetric:
    """Which metric of which run: `part` of `metrics.json` has it; `family` are those corrected together with it."""

    run: str
    part: str
    metric: str
    family: str


@dataclass(frozen=True, kw_only=True)
class MetricDifference:
    """One metric of a run (`value`) and of the reference, over the `n` cases (or lesions) where both have it.

    `ci95` is the 95 % interval of the difference, None where no resample has one. In `n_unpaired` further cases only
    one of both has a value.
    """

    title: str
    unit: str
    better: Literal["higher", "lower"]
    n: int
    reference: float
    value: float
    difference: float
    ci95: tuple[float, float] | None
    tests: MetricTests
    n_unpaired: int


@dataclass(frozen=True, kw_only=True)
class MetricComparison(MetricDifference, ComparedMetric):
    """A difference with the `test` that leads, its `p`, and that after Holm's correction within the family.

    `n_family` is the number of p values that were corrected together.
    """

    test: TestName
    p: float | None
    p_holm: float | None
    n_family: int


@dataclass(frozen=True, kw_only=True)
class SharedBootstrap:
    """How the intervals of all runs were made; `groups` says what was resampled as a whole."""

    method: str
    groups: str
    resamples: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class SourceComparison:
    """The cases of one data source alone: resampled by themselves, and p corrected within the source."""

    source: str
    n_cases: int
    n_groups: int
    comparisons: tuple[MetricComparison, ...]

    def of_run(self, run: str) -> tuple[MetricComparison, ...]:
        return tuple(entry for entry in self.comparisons if entry.run == run)


@dataclass(frozen=True, kw_only=True)
class TrackComparison:
    """All runs against the reference on one track, with the rules that a reader of the figures needs.

    `n_cases` cases were tested `n_tested` times. `positive_class` and `average` are None without `classes`.
    `by_source` has every data source where there are several, else nothing.
    """

    track: str
    protocol: str
    spread: str
    resolution: str
    empty_policy: str
    classes: tuple[str, ...]
    positive_class: str | None
    average: str | None
    n_cases: int
    n_tested: int
    n_groups: int
    bootstrap: SharedBootstrap
    warnings: tuple[str, ...]
    comparisons: tuple[MetricComparison, ...]
    by_source: tuple[SourceComparison, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)

    def of_run(self, run: str) -> tuple[MetricComparison, ...]:
        return tuple(entry for entry in self.comparisons if entry.run == run)


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One of the compared runs; `folds` are those of all its `repeats`, and `folder` is the first one's."""

    name: str
    title: str
    folder: str
    folds: int
    repeats: int = field(default=1, metadata=LEFT_OUT_AT_DEFAULT)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The content of `comparison.json`. The first of `runs` is the `reference`, the first of `tracks` the main."""

    format: int = FORMAT
    reference: str
    runs: tuple[RunSummary, ...]
    warnings: tuple[str, ...]
    tracks: tuple[TrackComparison, ...]
    provenance: Provenance


def write_comparison(path: Path, comparison: Comparison) -> None:
    write_json(path, to_mapping(comparison))


def read_comparison(path: Path) -> Comparison:
    """The content of a `comparison.json`. Raises `InputError` for another file, and one of another format."""
    content = read_json(path)
    version = content.get("format", 1) if isinstance(content, dict) and "tracks" in content else None
    if version != FORMAT:
        problem = "is no comparison" if version is None else f"is a comparison of format {version}"
        raise InputError(problem, remedy=COMPARE_AGAIN if version in (None, 1) else "update bustle", path=path)
    try:
        return from_mapping(Comparison, content, where=path.name)
    except InputError as error:
        raise InputError(f"is a damaged comparison ({error})", remedy=COMPARE_AGAIN, path=path) from None
