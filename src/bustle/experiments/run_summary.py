"""What a run amounts to: `summary.json`, `reliability.json` and `report.html` over all of its scored folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bustle.core.data_section import PatchData
from bustle.core.errors import InputError
from bustle.core.files import remove_file
from bustle.core.provenance import provenance
from bustle.core.recipe import Protocol, Recipe
from bustle.core.run_layout import FoldLayout, RunLayout
from bustle.core.run_provenance import untrained_heads_of
from bustle.core.tracks import TrackRules, Tracks
from bustle.core.types import Case
from bustle.data.splits.split_file import read_splits
from bustle.data.splits.splits import Splits
from bustle.evaluation.answers import summarise_answers
from bustle.evaluation.case_table import CaseRow, read_cases
from bustle.evaluation.fold_summary import summarise_folds
from bustle.evaluation.result_files import write_result
from bustle.evaluation.results import Circumstances, FoldResult, RunResult, RunTrack, TrackResult
from bustle.evaluation.strata import with_size_strata
from bustle.evaluation.summary import Scoring, summarise
from bustle.experiments.gallery_pictures import gallery_pictures, overlay_links
from bustle.experiments.prediction_sets import set_folder
from bustle.experiments.scored_fold import SCORE_AGAIN, FoldTraining, ScoredResults, read_scored, read_training
from bustle.experiments.scored_method import RESAMPLES
from bustle.experiments.scored_pairs import PredictionIndex, index_predictions
from bustle.experiments.scored_reliability import write_reliability
from bustle.experiments.scored_track import detection_figures
from bustle.experiments.taught_cases import recorded_cases
from bustle.models import zoo
from bustle.report.appendix import Partition
from bustle.report.evaluation_page import ReportedTracks
from bustle.report.run_page import FoldCurves, write_run_page
from bustle.report.training_sentence import trained_on


@dataclass(frozen=True, kw_only=True)
class _Fold:
    """One scored fold, every file read once."""

    layout: FoldLayout
    training: FoldTraining
    main: ScoredResults
    companion: ScoredResults | None


def write_run_summary(
    out: Path, *, recipe: Recipe, rules: Tracks[TrackRules], cases: Mapping[str, Case]
) -> RunResult:
    """Write `reliability.json`, `report.html`, and last `summary.json`, whose content is returned.

    `over_folds` is the mean ± spread of the folds' figures, as papers print them; `pooled` scores the cases of all
    folds as one set. The companion's figures stand beside where every fold has them. Raises `InputError` for a
    fold's file that is missing or damaged, or is not of this run.
    """
    run = RunLayout(out)
    folds = [_read(fold, rules=rules, cases=cases) for fold in run.scored_folds()]
    scored = _by_track(folds)
    classes = recipe.data.classes
    answers = {fold: read_cases(fold.answers) for fold in (each.layout for each in folds) if fold.answers.exists()}
    answered = [row for own in answers.values() for row in own]
    all_answered = answered if len(answers) == len(folds) else ()
    main = _run_track(scored.main, rules=rules.main, classes=classes, answered=all_answered)
    companion = None
    if scored.companion is not None and rules.companion is not None:
        companion = _run_track(scored.companion, rules=rules.companion, classes=classes)
    result = RunResult(
        title=recipe.title,
        recipe=recipe.id,
        track=main.track,
        protocol=main.protocol,
        folds=tuple(_fold_result(fold.layout.number, fold.training) for fold in folds),
        over_folds=main.over_folds,
        pooled=main.pooled,
        companion=companion,
    )
    remove_file(run.summary)  # it says that all are of the same scoring, and is written last
    tracks, rows = Tracks(main, companion), with_size_strata(_pooled_rows(scored.main))
    together = _together([fold.result for fold in scored.main], recipe=recipe, folds=folds)
    index_of = _prediction_indexes(run, folds, cases, recipe=recipe, protocol=rules.main.protocol)
    reliability = write_reliability(
        run.reliability,
        rows,
        answered,
        protocol=rules.main.protocol,
        classes=classes,
        resamples=RESAMPLES,
        fold_of={row.case_id: str(fold.number) for fold, own in answers.items() for row in own},
    )
    reported = ReportedTracks(
        results=tracks.map(lambda track: TrackResult.of(track.pooled, together)),
        protocols=rules.map(lambda one: one.protocol),
        rows=rows,
        classes=classes,
        reliability=reliability,
        pictures=gallery_pictures(rows, cases=cases, index_of=index_of, classes=classes),
        overlays=overlay_links(index_of, page=run.report),
        trained_on=trained_on(recorded_cases(out), networks=len(folds), volumes=isinstance(recipe.data, PatchData)),
    )
    curves = {
        fold.layout.number: FoldCurves(fold.training.curve, earlier_stages=fold.training.earlier_stages)
        for fold in folds
    }
    write_run_page(
        run.report,
        reported,
        curves=curves,
        over_folds=tracks.map(lambda track: track.over_folds),
        partition=_partition(read_splits(run.splits), tested=len(folds)),
    )
    write_result(run.summary, result)
    return result


def _partition(splits: Splits, *, tested: int) -> Partition:
    first = splits.folds[0]
    whole = len(first.train) + len(first.val) + len(first.test)
    return Partition(folds=len(splits.folds), tested=tested, test_share=len(first.test) / whole, seed=splits.seed)


def _read(fold: FoldLayout, *, rules: Tracks[TrackRules], cases: Mapping[str, Case]) -> _Fold:
    main, companion = read_scored(fold.main), None
    if (main.result.track, main.result.protocol) != (rules.main.track, rules.main.protocol.id):
        raise InputError("follows other rules than the run", remedy=SCORE_AGAIN, path=fold.main.metrics)
    foreign = [row.case_id for row in main.cases if row.case_id not in cases]
    if foreign:
        problem = f"holds the case '{foreign[0]}', which the run does not"
        raise InputError(problem, remedy=SCORE_AGAIN, path=fold.main.cases)
    if rules.companion is not None and fold.companion(rules.companion.track).complete:
        companion = read_scored(fold.companion(rules.companion.track))
    return _Fold(layout=fold, training=read_training(fold), main=main, companion=companion)


def _by_track(folds: Sequence[_Fold]) -> Tracks[list[ScoredResults]]:
    """Every fold's results on the main track, and on the companion where all folds have it."""
    companions = [fold.companion for fold in folds if fold.companion is not None]
    return Tracks([fold.main for fold in folds], companions if len(companions) == len(folds) else None)


def _together(scored: Sequence[TrackResult], *, recipe: Recipe, folds: Sequence[_Fold]) -> Circumstances:
    """What is known of all folds' predictions together."""
    which = f"{len(folds)} folds together" if len(folds) > 1 else f"fold {folds[0].layout.number}"
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
    scored: Sequence[ScoredResults], *, rules: TrackRules, classes: Sequence[str], answered: Sequence[CaseRow] = ()
) -> RunTrack:
    """One track over the folds; `answered` are the cases as they were answered, none where a fold answers none."""
    protocol = rules.protocol
    detected = [case for fold in scored for case in fold.detected]
    scoring = Scoring(protocol=protocol, classes=classes, resamples=RESAMPLES)
    pooled = summarise(
        _pooled_rows(scored),
        scoring=scoring,
        track=rules.track,
        lesion_detection=detection_figures(detected, resamples=RESAMPLES),
        answers=summarise_answers(answered, scoring=scoring),
    )
    return RunTrack(
        track=rules.track,
        protocol=protocol.id,
        over_folds=summarise_folds([fold.result for fold in scored], pooled=pooled, protocol=protocol),
        pooled=pooled,
    )


def _pooled_rows(scored: Sequence[ScoredResults]) -> list[CaseRow]:
    return [row for fold in scored for row in fold.cases]


def _fold_result(number: int, training: FoldTraining) -> FoldResult:
    """The chosen epoch, its validation scores, and how long the training took, all stages together."""
    chosen = training.curve[training.best_epoch - 1]
    stages = (training.curve, *training.earlier_stages.values())
    return FoldResult(
        fold=number,
        best_epoch=training.best_epoch,
        epochs=len(training.curve),
        training_seconds=round(sum(row["seconds"] or 0.0 for curve in stages for row in curve), 1),
        validation={name: value for name, value in chosen.items() if name.startswith("val_")} or None,
        earlier_stages={name: len(curve) for name, curve in training.earlier_stages.items()},
    )


def _prediction_indexes(
    run: RunLayout, folds: Sequence[_Fold], cases: Mapping[str, Case], *, recipe: Recipe, protocol: Protocol
) -> dict[str, PredictionIndex]:
    """By case id, where the prediction of the fold that tested the case is."""
    indexes = {}
    has_mask_head = zoo.resolve(recipe).mask_meaning is not None
    for fold in folds:
        outlines = has_mask_head and "mask" not in untrained_heads_of(run, [fold.layout])
        tested = [cases[row.case_id] for row in fold.main.cases]
        predictions = set_folder(fold.layout.path, protocol, data=recipe.data, outlines=outlines)
        index = index_predictions(predictions, cases=tested, missing="error")
        indexes |= {case.case_id: index for case in tested}
    return indexes
