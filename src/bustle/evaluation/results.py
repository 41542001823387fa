"""What a track, a fold and a whole run amount to: the contents of `metrics.json` and `summary.json`, typed.

`bustle.evaluation.result_files` reads and writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from bustle.core.config import INLINE, LEFT_OUT_AT_DEFAULT
from bustle.core.model_provenance import PredictionProvenance
from bustle.core.provenance import Provenance
from bustle.evaluation.figures import (
    AnswerFigures,
    CaseFigures,
    ClassFigures,
    DetectionFigures,
    Estimates,
    MaskFigures,
    SizeFigures,
    check_complete,
)
from bustle.evaluation.metrics import CLASSIFICATION, CONSISTENCY, DETECTION, LESION_DETECTION, SEGMENTATION

FORMAT = 2
"""The version of both files' form; the first one had no number."""


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """How intervals were made."""

    method: str
    resamples: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class TrackFigures(MaskFigures):
    """The figures of one track by its protocol, with the rules that a reader of them needs.

    `resolution` is the grid on which masks were compared, `empty_policy` what an empty mask scores,
    `headline_distance` the form of HD95 that leads. `lesion_detection` is None where no lesions were sought,
    `answers` unless it is the strict track and the predictions have answers.
    """

    track: str
    protocol: str
    resolution: str
    empty_policy: str
    headline_distance: str
    n_groups: int
    bootstrap: Bootstrap
    classification: ClassFigures | None
    lesion_detection: DetectionFigures | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    answers: AnswerFigures | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)


@dataclass(frozen=True, kw_only=True)
class TrackScores(TrackFigures):
    """All figures of one track: of all cases, and by data source, class and lesion size."""

    consistency: Estimates | None
    by_source: Mapping[str, CaseFigures]
    by_label: Mapping[str, MaskFigures]
    by_size: SizeFigures | None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_complete(self.consistency, CONSISTENCY)


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What is known of scored predictions beside their figures, the same for both tracks.

    `model` is the provenance of the predictions where they all share it. `groups` names the rule by which cases are
    resampled together, None where it is not known; `resampled` says what a group then is.
    """

    title: str
    model: PredictionProvenance | None
    warnings: tuple[str, ...]
    groups: str | None
    resampled: str
    provenance: Provenance


@dataclass(frozen=True, kw_only=True)
class TrackResult(Circumstances, TrackScores):
    """The content of `metrics.json`."""

    format: int = FORMAT

    @classmethod
    def of(cls, scores: TrackScores, circumstances: Circumstances) -> TrackResult:
        return cls(**_values(scores), **_values(circumstances))


@dataclass(frozen=True, kw_only=True)
class FoldEstimate:
    """A metric over folds: their mean, its spread as the protocol defines it, and every fold's value in order."""

    mean: float | None
    sd: float | None
    n: int
    unit: str
    folds: tuple[float | None, ...]


FoldEstimates = Mapping[str, FoldEstimate]


@dataclass(frozen=True, kw_only=True)
class ClassFoldFigures:
    """The class metrics over folds; `confusion` and `n` are those of all folds' cases."""

    classes: tuple[str, ...]
    positive_class: str
    average: str
    n: int
    confusion: tuple[tuple[int, ...], ...]
    estimates: FoldEstimates = field(metadata=INLINE)

    def __post_init__(self) -> None:
        check_complete(self.estimates, CLASSIFICATION)


@dataclass(frozen=True, kw_only=True)
class FoldFigures:
    """The parts of a track over folds, None where they were not scored."""

    segmentation: FoldEstimates | None
    classification: ClassFoldFigures | None
    consistency: FoldEstimates | None
    lesion_detection: FoldEstimates | None

    def __post_init__(self) -> None:
        check_complete(self.segmentation, SEGMENTATION | DETECTION)
        check_complete(self.consistency, CONSISTENCY)
        check_complete(self.lesion_detection, LESION_DETECTION)

    def estimates(self, part: str) -> FoldEstimates | None:
        """The metrics of one part of `CATALOGUES`."""
        found = getattr(self, part)
        return found.estimates if isinstance(found, ClassFoldFigures) else found


@dataclass(frozen=True, kw_only=True)
class OverFolds(FoldFigures):
    """The mean and spread over `folds` folds, in all and per data source; `spread` names what `sd` holds."""

    folds: int
    protocol: str
    spread: str
    by_source: Mapping[str, FoldFigures]


@dataclass(frozen=True, kw_only=True)
class FoldResult:
    """How one fold was trained: the chosen epoch (from 1) and its validation scores, the seconds of all stages.

    `earlier_stages` holds the number of epochs of each stage before the last.
    """

    fold: int
    best_epoch: int
    epochs: int
    training_seconds: float
    validation: Mapping[str, float | None] | None
    earlier_stages: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class RunTrack:
    """One track of a run: the spread over its folds, and the cases of all folds scored as one set."""

    track: str
    protocol: str
    over_folds: OverFolds
    pooled: TrackScores


@dataclass(frozen=True, kw_only=True)
class RunResult(RunTrack):
    """The content of `summary.json`; `companion` is the other track, None where not every fold has it."""

    format: int = FORMAT
    title: str
    recipe: str
    folds: tuple[FoldResult, ...]
    companion: RunTrack | None

    @property
    def tracks(self) -> tuple[RunTrack, ...]:
        """The main track, and the companion where there is one."""
        return (self,) if self.companion is None else (self, self.companion)


@dataclass(frozen=True, kw_only=True)
class ReleasedFigures(TrackFigures):
    """What a model package keeps of one track: the figures of the cases of `folds`."""

    folds: tuple[str, ...]

    @classmethod
    def of(cls, scores: TrackFigures, *, folds: tuple[str, ...]) -> ReleasedFigures:
        kept = {f.name: getattr(scores, f.name) for f in fields(TrackFigures)}
        return cls(**kept, folds=folds)


def _values(value: Any) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value)}
