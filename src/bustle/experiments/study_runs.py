"""Trainings and tests of a study, each kept once it is finished, so that an interrupted study goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bustle.core.model_provenance import ModelProvenance
from bustle.core.recipe import Recipe
from bustle.core.run_layout import RunLayout, ScoredFolder
from bustle.core.tracks import both_tracks
from bustle.core.types import Case, Collection
from bustle.data.class_groups import in_class_groups
from bustle.evaluation.case_table import CaseRow, read_cases
from bustle.evaluation.result_files import read_track
from bustle.experiments.planned_run import SplitChoice, plan_run
from bustle.experiments.run_folder import RunFolder, data_fingerprints
from bustle.inference.predictor import Predictor


def trained(
    recipe: Recipe, *, collection: Collection, out: Path, split: SplitChoice, seed: int, device: str
) -> RunLayout:
    """The run in `out`, trained as far as it is not; its seed is the recipe's plus `seed`.

    Raises `InputError` where the run that is there is of another recipe, split or data.
    """
    run = RunLayout(out)
    recipe = replace(recipe, training=replace(recipe.training, seed=recipe.training.seed + seed))
    if run.summary.exists():
        _check_same(run, recipe=recipe, collection=collection, split=split)
        return run
    from bustle.experiments.train import run_training

    run_training(
        recipe,
        load_data=lambda: collection,
        out=out,
        split=split,
        resume=run.recipe.exists(),
        device=device,
    )
    return run


def _check_same(run: RunLayout, *, recipe: Recipe, collection: Collection, split: SplitChoice) -> None:
    rules = both_tracks(split.track, published=split.published_protocol or recipe.protocol)
    planned = plan_run(recipe, collection, rules=rules, choice=split, fold=None)
    RunFolder.reopen(
        run.path,
        recipe=recipe,
        splits=planned.splits,
        fingerprints=data_fingerprints(planned.cases),
        init=None,
    )


def tested(run: RunLayout, *, cases: Sequence[Case], out: Path) -> ScoredFolder:
    """The run's networks on other cases, in `out`; predicted and scored unless that is done for these."""
    from bustle.experiments.evaluate import evaluate_model

    scored, predictor = ScoredFolder(out), Predictor.open(run.path)
    if not _is_test_of(scored, predictor, cases):
        evaluate_model(predictor, cases=cases, out=out, track="strict")
    return scored


def _is_test_of(scored: ScoredFolder, predictor: Predictor, cases: Sequence[Case]) -> bool:
    """Whether these weights and their rule were tested on cases of these names."""
    if not scored.is_scored:
        return False
    model = read_track(scored.main.metrics).model
    if not isinstance(model, ModelProvenance) or not model.same_files_as(predictor.provenance):
        return False
    names = {case.case_id for case in in_class_groups(cases, predictor.data.class_groups)}
    return {row.case_id for row in read_cases(scored.main.cases)} == names


def pooled_rows(run: RunLayout) -> list[CaseRow]:
    """The test cases of all folds, by the main track."""
    return [row for fold in run.scored_folds() for row in read_cases(fold.main.cases)]


def companion_rows(folder: ScoredFolder) -> list[CaseRow]:
    """The cases by the other track, none where it was not scored."""
    return [row for files in folder.companions() for row in read_cases(files.cases)]
