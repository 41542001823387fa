"""What is kept of a run beside its recipe: all figures, cases and learning curves, without weights and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bustle.core.learning_curve import LearningCurve
from bustle.core.recipe import Recipe
from bustle.core.run_provenance import RunProvenance
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.detection import DetectedCase
from bustle.evaluation.results import Circumstances, RunResult, TrackScores

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class TrackRecord:
    """What one track made of a fold. `cases` is empty where only the figures were kept.

    `detected` has the cases in which lesions were sought, which may be none.
    """

    scores: TrackScores
    cases: tuple[CaseRow, ...]
    detected: tuple[DetectedCase, ...]


@dataclass(frozen=True, kw_only=True)
class FoldRecord:
    """One fold as it was trained and scored. `earlier_stages` are the trainings before the last one, by name."""

    fold: int
    circumstances: Circumstances
    main: TrackRecord
    companion: TrackRecord | None
    history: LearningCurve
    earlier_stages: Mapping[str, LearningCurve]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """The content of `results/RUN.json`. `splits` is the SHA-256 of the split's own file (`ResultsFolder.split`)."""

    format: int = FORMAT
    recipe: Recipe
    provenance: RunProvenance
    splits: str
    result: RunResult
    folds: tuple[FoldRecord, ...]

    def __post_init__(self) -> None:
        if [fold.fold for fold in self.folds] != [fold.fold for fold in self.result.folds]:
            raise ValueError("its folds are not those of its result")
        for fold in self.folds:
            if not fold.main.cases:
                raise ValueError(f"fold {fold.fold} holds no case")
            tracks = zip((self.result, self.result.companion), (fold.main, fold.companion), strict=True)
            for whole, own in tracks:
                if whole and own and (whole.track, whole.protocol) != (own.scores.track, own.scores.protocol):
                    raise ValueError(f"fold {fold.fold} follows other rules than the run")
