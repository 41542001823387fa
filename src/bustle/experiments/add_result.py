"""From the folder of a finished run to one compact file, as the `results/` of this project holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, get_args

from bustle.core.claimed_output import claim_file
from bustle.core.errors import InputError
from bustle.core.files import write_text
from bustle.core.learning_curve import read_earlier_curves, read_learning_curve
from bustle.core.paths import word_in_results
from bustle.core.recipe import Recipe, Track, load_recipe
from bustle.core.run_layout import FoldLayout, ResultsFolder, RunLayout, TrackFiles, named_run
from bustle.core.run_provenance import RunProvenance, read_run_provenance
from bustle.data.splits.split_file import compact_splits, read_splits
from bustle.evaluation.result_files import read_run, read_track
from bustle.evaluation.results import Circumstances, RunResult, TrackResult, TrackScores
from bustle.experiments.run_record import FoldRecord, RunRecord, TrackRecord
from bustle.experiments.run_record_file import read_record, write_record
from bustle.experiments.scored_fold import read_scored


class AddedResult(NamedTuple):
    """The files that were written; that of the split may have been there before, the same."""

    run: Path
    splits: Path


def add_result(run: Path, *, to: Path, name: str | None = None) -> AddedResult:
    """Write `to/NAME.json` of the run folder `run` (by default under its name), and the split that it refers to.

    A run's file of the same name is replaced, any other refused. Raises `InputError` for a run that is not finished,
    and for a damaged one.
    """
    layout, fold = named_run(run).opened()
    if fold is not None:
        raise InputError("is one fold of a run", remedy="name the run's own folder", path=run)
    name = run.resolve().name if name is None else name
    if Path(name).name != name or name.startswith("."):
        raise InputError(f"'{name}' is no file name", remedy="give --name without folders and a leading dot")
    result, folds = _finished(layout)
    splits = compact_splits(read_splits(layout.splits))
    digest = hashlib.sha256(splits.encode()).hexdigest()
    record = _record(layout, result=result, folds=folds, splits=digest)
    folder = ResultsFolder(to)
    added = AddedResult(folder.run(name), folder.split(digest))
    with claim_file(added.run, is_own=_is_record, noun="a run's file of `bustle results add`"):
        write_text(added.splits, splits)
        write_record(added.run, record)
    return added


def _is_record(path: Path) -> bool:
    try:
        read_record(path)
    except InputError:
        return False
    return True


def _finished(run: RunLayout) -> tuple[RunResult, list[FoldLayout]]:
    """Its result and the folds that it sums up; raises `InputError` where another fold was begun, or none ended."""
    folds = run.folds()
    unscored = [fold.name for fold in folds if not fold.is_scored]
    if unscored or not run.summary.exists():
        problem = f"{unscored[0]} is not scored" if unscored else f"it has no {run.summary.name}"
        raise InputError(f"is not finished: {problem}", remedy="finish its training with --resume", path=run.path)
    result = read_run(run.summary)
    if [fold.number for fold in folds] != [fold.fold for fold in result.folds]:
        raise InputError("is not of all of the run's folds", remedy="finish it with --resume", path=run.summary)
    return result, folds


def _record(run: RunLayout, *, result: RunResult, folds: Sequence[FoldLayout], splits: str) -> RunRecord:
    recipe, provenance = _without_folders(load_recipe(str(run.recipe))), _provenance(run.provenance)
    kept = tuple(map(_fold_record, folds))
    try:
        return RunRecord(recipe=recipe, provenance=provenance, splits=splits, result=result, folds=kept)
    except ValueError as error:
        raise InputError(
            f"does not hold together: {error}", remedy="restore it, or train again", path=run.path
        ) from None


def _without_folders(recipe: Recipe) -> Recipe:
    """The recipe as others may read it: where on this machine the encoder's weights lie is nobody's business."""
    weights = recipe.model.encoder_weights
    if weights is None:
        return recipe
    return replace(recipe, model=replace(recipe.model, encoder_weights=word_in_results(weights)))


def _provenance(path: Path) -> RunProvenance:
    found = read_run_provenance(path)
    if not found.sessions or found.sessions[-1].seconds is None:
        raise InputError("its last session did not end", remedy="finish the run with --resume", path=path)
    return found


def _fold_record(fold: FoldLayout) -> FoldRecord:
    main = read_track(fold.main.metrics)
    (other,) = (track for track in get_args(Track) if track != main.track)
    beside = fold.companion(other)
    companion = read_track(beside.metrics) if beside.metrics.exists() else None
    circumstances = _fields(Circumstances, main)
    if companion is not None and _fields(Circumstances, companion) != circumstances:
        raise InputError(
            f"was not scored together with {fold.main.metrics.name}", remedy="evaluate again", path=beside.metrics
        )
    return FoldRecord(
        fold=fold.number,
        circumstances=Circumstances(**circumstances),
        main=_track_record(main, fold.main),
        companion=None if companion is None else _track_record(companion, beside),
        history=read_learning_curve(fold.history),
        earlier_stages=read_earlier_curves(fold),
    )


def _track_record(result: TrackResult, files: TrackFiles) -> TrackRecord:
    scores = TrackScores(**_fields(TrackScores, result))
    if not files.cases.exists():
        return TrackRecord(scores=scores, cases=(), detected=())
    scored = read_scored(files)
    return TrackRecord(scores=scores, cases=scored.cases, detected=scored.detected)


def _fields(kind: type, result: TrackResult) -> dict[str, Any]:
    """The values of those fields that `result` has of one of its bases."""
    return {name: getattr(result, name) for name in kind.__dataclass_fields__}
