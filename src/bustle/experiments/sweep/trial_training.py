"""One trial: its values, its trainings, and what its validation part says of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError, TrainingInterruptedError
from bustle.core.file_lock import one_at_a_time
from bustle.core.files import remove_file
from bustle.core.learning_curve import Row
from bustle.core.progress import announce
from bustle.core.recipe import Protocol, Recipe
from bustle.core.run_layout import TrainingFolder
from bustle.core.run_provenance import MeasuredForm
from bustle.core.types import Case
from bustle.data.splits.splits import Fold
from bustle.experiments.sweep.proposals import is_hopeless, propose
from bustle.experiments.sweep.space import Dimension, with_values
from bustle.experiments.sweep.trials import SweepLayout, Trial


@dataclass(frozen=True, kw_only=True)
class TrialTraining:
    """Does trial number N as far as it is not done yet; runs on any machine that sees `out` and the cases' files.

    `cases` are those of the fold's training and validation parts alone: no trial can see the test part. `given` are
    by trial the values of those that have not begun; where it is None, Optuna proposes them. Seed S of a trial trains
    as fold K of `bustle train` does with S added to the recipe's seed.
    """

    recipe: Recipe
    form: MeasuredForm
    space: Sequence[Dimension]
    cases: Sequence[Case]
    fold: Fold
    number: int
    protocol: Protocol
    out: Path
    device: str
    init: Path | None
    seeds: int
    given: Mapping[int, Mapping[str, Any]] | None
    pruned: bool

    def __call__(self, number: int) -> None:
        layout = SweepLayout(self.out)
        trial = layout.trial(number) or self._begun(layout, number)
        started = time.monotonic()
        try:
            done = self._trained(layout, trial)
        except TrainingInterruptedError:
            raise
        except InputError as error:  # as of a rate at which the loss grows without end
            done = replace(trial, state="failed", problem=error.in_results())
        layout.write(replace(done, seconds=round((trial.seconds or 0.0) + time.monotonic() - started, 1)))
        if done.problem is not None:
            announce(f"bustle: trial {number}: {done.problem}")
            return
        for seed in range(self.seeds):
            self._remove_weights(layout.training(number, seed=seed), done)

    def _begun(self, layout: SweepLayout, number: int) -> Trial:
        with one_at_a_time(layout.lock):  # whoever reads the trials next finds this one among them
            if self.given is None:
                values = propose(self.space, layout.trials(), number=number, seed=self.recipe.training.seed)
            else:
                values = self.given[number]
            trial = Trial(number=number, values=values, state="begun")
            layout.write(trial)
        return trial

    def _remove_weights(self, training: TrainingFolder, trial: Trial) -> None:
        """Of all stages: they are as large as all else together, and `bustle train` makes them again."""
        from bustle.training.stages import stages_of

        for stage in stages_of(with_values(self.recipe, trial.values), folder=training.path):
            remove_file(TrainingFolder(stage.folder).checkpoint)
            remove_file(TrainingFolder(stage.folder).weights)

    def _trained(self, layout: SweepLayout, trial: Trial) -> Trial:
        from bustle.training.checks import check_recipe
        from bustle.training.run import train_fold
        from bustle.training.selection import monitored_gain
        from bustle.training.stages import stages_of
        from bustle.training.validation import ValidationScores

        recipe = with_values(self.recipe, trial.values)
        check_recipe(recipe)
        last = stages_of(recipe, folder=self.out)[-1].recipe.training
        prunes = self.pruned and not any(dimension.key == "training.epochs" for dimension in self.space)
        done = replace(trial, state="finished", scores=(), best_epochs=(), curve=(), problem=None)

        def curve(history: Sequence[Row]) -> tuple[float, ...]:
            gains = [monitored_gain(last.monitor, ValidationScores.of_row(row)) for row in history]
            return tuple(gain for gain in gains if gain is not None)

        def hopeless(history: Sequence[Row]) -> bool:
            running = replace(done, state="begun", curve=curve(history))
            return is_hopeless(self.space, layout.trials(), running, epochs=last.epochs)

        for seed in range(self.seeds):
            training = recipe.training
            own = replace(self.form.decide(training), seed=training.seed + self.number + seed)
            trained = train_fold(
                replace(recipe, training=own),
                cases=self.cases,
                fold=self.fold,
                out=layout.training(trial.number, seed=seed).path,
                protocol=self.protocol,
                device=self.device,
                resume=True,
                init=self.init,
                title=f"trial {trial.number}" + (f", seed {seed}" if self.seeds > 1 else ""),
                give_up=hopeless if prunes and not seed else None,
            )
            gains = curve(trained.history)
            done = replace(
                done,
                scores=(*done.scores, max(gains)),
                best_epochs=(*done.best_epochs, trained.best_epoch),
                curve=done.curve or gains,
            )
            ran_out = last.patience is not None and trained.epochs - trained.best_epoch >= last.patience
            if trained.epochs < last.epochs and not ran_out:
                return replace(done, state="pruned")
        return done
