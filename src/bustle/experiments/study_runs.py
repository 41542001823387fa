"""Trainings and tests of a study, each kept once it is finished, so that an interrupted study goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bustle.core.recipe import Recipe
from bustle.core.run_layout import RunLayout, ScoredFolder
from bustle.core.types import Case, Collection
from bustle.evaluation.case_table import CaseRow, read_cases
from bustle.experiments.planned_run import SplitChoice


def trained(
    recipe: Recipe, *, collection: Collection, out: Path, split: SplitChoice, seed: int, device: str
) -> RunLayout:
    """The run in `out`, trained as far as it is not; its seed is the recipe's plus `seed`."""
    from bustle.experiments.train import run_training

    run = RunLayout(out)
    if run.summary.exists():
        return run
    training = replace(recipe.training, seed=recipe.training.seed + seed)
    run_training(
        replace(recipe, training=training),
        load_data=lambda: collection,
        out=out,
        split=split,
        resume=run.recipe.exists(),
        device=device,
    )
    return run


def tested(run: RunLayout, *, cases: Sequence[Case], out: Path) -> ScoredFolder:
    """The run's networks on other cases, in `out`; predicted and scored if that is not done."""
    from bustle.experiments.evaluate import evaluate_model
    from bustle.inference.predictor import Predictor

    scored = ScoredFolder(out)
    if not scored.is_scored:
        evaluate_model(Predictor.open(run.path), cases=cases, out=out, track="strict")
    return scored


def pooled_rows(run: RunLayout) -> list[CaseRow]:
    """The test cases of all folds, by the main track."""
    return [row for fold in run.scored_folds() for row in read_cases(fold.main.cases)]


def companion_rows(folder: ScoredFolder) -> list[CaseRow]:
    """The cases by the other track, none where it was not scored."""
    return [row for files in folder.companions() for row in read_cases(files.cases)]
