"""What a run amounts to: `summary.json` and `report.html` over all of its scored folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import safe_open

from bustle.core.provenance import provenance
from bustle.core.recipe import Protocol, Recipe
from bustle.core.run_layout import FoldLayout, RunLayout, TrackFiles
from bustle.core.tracks import TrackRules, Tracks
from bustle.core.types import Case
from bustle.evaluation.case_table import CaseRow, read_cases
from bustle.evaluation.fold_summary import summarise_folds
from bustle.evaluation.result_files import read_track, write_result
from bustle.evaluation.results import Circumstances, FoldResult, RunResult, RunTrack, TrackResult
from bustle.evaluation.strata import with_size_strata
from bustle.evaluation.summary import Scoring, summarise
from bustle.experiments.gallery_pictures import gallery_pictures
from bustle.experiments.prediction_sets import set_folder
from bustle.experiments.scored_method import RESAMPLES
from bustle.experiments.scored_pairs import PredictionIndex, index_predictions
from bustle.experiments.scored_track import detection_figures, read_detected
from bustle.models import zoo
from bustle.report.evaluation_page import ReportedTracks
from bustle.report.run_page import read_history, read_stage_histories, write_run_page


def write_run_summary(
    out: Path, *, recipe: Recipe, rules: Tracks[TrackRules], cases: Mapping[str, Case]
) -> RunResult:
    """Write both files; returns the content of `summary.json`.

    `over_folds` is the mean ± spread of the folds' figures, as papers print them; `pooled` scores the cases of all
    folds as one set. The companion's figures stand beside where every fold has them.
    """
    run = RunLayout(out)
    folds = run.scored_folds()
    files = _files(folds, rules=rules)
    scored = files.map(lambda each: [read_track(track.metrics) for track in each])
    classes = recipe.data.classes
    main = _run_track(scored.main, files=files.main, rules=rules.main, classes=classes)
    companion = None
    if scored.companion is not None and files.companion is not None and rules.companion is not None:
        companion = _run_track(scored.companion, files=files.companion, rules=rules.companion, classes=classes)
    result = RunResult(
        title=recipe.title,
        recipe=recipe.id,
        track=main.track,
        protocol=main.protocol,
        folds=tuple(map(_fold_result, folds)),
        over_folds=main.over_folds,
        pooled=main.pooled,
        companion=companion,
    )
    write_result(run.summary, result)
    tracks, rows = Tracks(main, companion), with_size_strata(_pooled_rows(files.main))
    together = _together(scored.main, recipe=recipe, folds=folds)
    index_of = _prediction_indexes(folds, cases, recipe=recipe, protocol=rules.main.protocol)
    reported = ReportedTracks(
        results=tracks.map(lambda track: TrackResult.of(track.pooled, together)),
        protocols=rules.map(lambda one: one.protocol),
        rows=rows,
        classes=classes,
        pictures=gallery_pictures(rows, cases=cases, index_of=index_of, classes=classes),
    )
    write_run_page(run.report, reported, folds=folds, over_folds=tracks.map(lambda track: track.over_folds))
    return result


def _files(folds: Sequence[FoldLayout], *, rules: Tracks[TrackRules]) -> Tracks[list[TrackFiles]]:
    """Every fold's files of the main track, and of the companion where all folds have it."""
    main = [fold.main for fold in folds]
    if rules.companion is None:
        return Tracks(main, None)
    beside = [fold.companion(rules.companion.track) for fold in folds]
    return Tracks(main, beside if all(files.complete for files in beside) else None)


def _together(scored: Sequence[TrackResult], *, recipe: Recipe, folds: Sequence[FoldLayout]) -> Circumstances:
    """What is known of all folds' predictions together."""
    which = f"{len(folds)} folds together" if len(folds) > 1 else f"fold {folds[0].number}"
    rules = dict.fromkeys(track.groups for track in scored if track.groups is not None)
    return Circumstances(
        title=f"{recipe.title}, {which}",
        model=None,
        warnings=tuple(dict.fromkeys(warning for track in scored for warning in track.warnings)),
        groups="; ".join(rules) or None,
        resampled="; ".join(dict.fromkeys(track.resampled for track in scored)),
        provenance=provenance(),
    )


def _run_track(
    scored: Sequence[TrackResult], *, files: Sequence[TrackFiles], rules: TrackRules, classes: Sequence[str]
) -> RunTrack:
    """One track over the folds whose results are `scored`."""
    protocol = rules.protocol
    detected = [case for each in files for case in read_detected(each.detected)]
    pooled = summarise(
        _pooled_rows(files),
        scoring=Scoring(protocol=protocol, classes=classes, resamples=RESAMPLES),
        track=rules.track,
        lesion_detection=detection_figures(detected, resamples=RESAMPLES),
    )
    return RunTrack(
        track=rules.track,
        protocol=protocol.id,
        over_folds=summarise_folds(scored, pooled=pooled, protocol=protocol),
        pooled=pooled,
    )


def _pooled_rows(files: Sequence[TrackFiles]) -> list[CaseRow]:
    return [row for each in files for row in read_cases(each.cases)]


def _fold_result(fold: FoldLayout) -> FoldResult:
    """The chosen epoch, its validation scores, and how long the training took, all stages together."""
    with safe_open(fold.weights, framework="numpy") as weights:
        best_epoch = int(weights.metadata()["epoch"])
    rows = read_history(fold.history)
    earlier = read_stage_histories(fold)
    validation = {name: value for name, value in rows[best_epoch - 1].items() if name.startswith("val_")}
    seconds = sum(row["seconds"] or 0.0 for part in (rows, *earlier.values()) for row in part)
    return FoldResult(
        fold=fold.number,
        best_epoch=best_epoch,
        epochs=len(rows),
        training_seconds=round(seconds, 1),
        validation=validation or None,
        earlier_stages={name: len(part) for name, part in earlier.items()},
    )


def _prediction_indexes(
    folds: Sequence[FoldLayout], cases: Mapping[str, Case], *, recipe: Recipe, protocol: Protocol
) -> dict[str, PredictionIndex]:
    """By case id, where the prediction of the fold that tested the case is."""
    indexes = {}
    outlines = zoo.resolve(recipe).mask_meaning is not None
    for fold in folds:
        tested = [cases[row.case_id] for row in read_cases(fold.main.cases)]
        predictions = set_folder(fold.path, protocol, data=recipe.data, outlines=outlines)
        index = index_predictions(predictions, cases=tested, missing="error")
        indexes |= {case.case_id: index for case in tested}
    return indexes
