"""What training and scoring left in a fold's folder, or scoring in any other, read back as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bustle.core.errors import InputError
from bustle.core.learning_curve import LearningCurve, read_earlier_curves, read_learning_curve
from bustle.core.run_layout import FoldLayout, RunLayout, TrackFiles
from bustle.evaluation.case_table import CaseRow, read_cases
from bustle.evaluation.detection import DetectedCase
from bustle.evaluation.result_files import read_run, read_track
from bustle.evaluation.results import TrackResult
from bustle.experiments.scored_track import read_detected

SCORE_AGAIN = "score the predictions again"


@dataclass(frozen=True, kw_only=True)
class ScoredResults:
    """Of one track. `detected` has the cases in which lesions were sought, which may be none."""

    result: TrackResult
    cases: tuple[CaseRow, ...]
    detected: tuple[DetectedCase, ...]


@dataclass(frozen=True, kw_only=True)
class FoldTraining:
    """The chosen epoch (from 1), and the learning curves of the last stage and, by name, of those before it."""

    best_epoch: int
    curve: LearningCurve
    earlier_stages: Mapping[str, LearningCurve]


def read_scored(files: TrackFiles) -> ScoredResults:
    """Raises `InputError` for a file that is missing or damaged, and for files that are not of the same cases."""
    result, cases, detected = read_track(files.metrics), read_cases(files.cases), read_detected(files.detected)
    if len(cases) != result.n_cases:
        problem = f"holds {len(cases)} cases, {files.metrics.name} the figures of {result.n_cases}"
        raise InputError(problem, remedy=SCORE_AGAIN, path=files.cases)
    foreign = {case.case_id for case in detected} - {row.case_id for row in cases}
    if foreign:
        problem = f"holds the case '{min(foreign)}', which {files.cases.name} does not"
        raise InputError(problem, remedy=SCORE_AGAIN, path=files.detected)
    return ScoredResults(result=result, cases=tuple(cases), detected=tuple(detected))


def read_training(fold: FoldLayout) -> FoldTraining:
    """Raises `InputError` for a file that is missing or damaged, and for weights of no epoch of the table.

    Of weights that were taken away the run's summary knows the epoch, once the fold was summed up.
    """
    from bustle.models.weight_file import read_metadata

    curve, earlier = read_learning_curve(fold.history), read_earlier_curves(fold)
    summary = RunLayout(fold.path.parent).summary
    if not fold.weights.exists() and summary.exists():
        for known in read_run(summary).folds:
            if known.fold == fold.number and known.best_epoch <= len(curve):
                return FoldTraining(best_epoch=known.best_epoch, curve=curve, earlier_stages=earlier)
    epoch = read_metadata(fold.weights).get("epoch", "")
    if not epoch.isdecimal() or not 1 <= int(epoch) <= len(curve):
        problem = f"says that it is of epoch '{epoch}', {fold.history.name} has {len(curve)}"
        raise InputError(problem, remedy="restore both of one training", path=fold.weights)
    return FoldTraining(best_epoch=int(epoch), curve=curve, earlier_stages=earlier)
