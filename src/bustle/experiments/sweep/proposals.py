"""What to try next, and what to give up, by Optuna, from what the trials before have shown.

Its study is made anew from the trials' files whenever it is asked: they are the truth, so that nothing has to agree
with them after a kill, and processes of several machines need no server between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bustle.experiments.sweep.space import Dimension, combinations
from bustle.experiments.sweep.trials import Trial

if TYPE_CHECKING:
    import optuna

RANDOM_TRIALS = 10
"""So many are drawn before the search learns from them: fewer say nothing."""
UNPRUNED_TRIALS = 5
"""So many, of different values, must have finished before any is given up."""
DRAWS = 100
"""After so many that were all tried before, few are left, which are then counted instead."""


def propose(space: Sequence[Dimension], trials: Sequence[Trial], *, number: int, seed: int) -> dict[str, Any]:
    """Values of trial `number` by a tree-structured Parzen estimator; the same for the same arguments.

    Trials that are still running count as bad ones, so that another one is not tried beside them. Values that one of
    the `trials` has are drawn again: `space` has others.
    """
    import optuna

    own_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    sampler = optuna.samplers.TPESampler(seed=own_seed, n_startup_trials=RANDOM_TRIALS, constant_liar=True)
    study, tried = _study(space, trials, sampler=sampler), [trial.values for trial in trials]
    for _ in range(DRAWS):
        asked = study.ask(_distributions(space))
        values = {dimension.key: _value(dimension, asked.params[dimension.key]) for dimension in space}
        if values not in tried:
            return values
    return next(values for values in combinations(space) if values not in tried)


def is_hopeless(space: Sequence[Dimension], trials: Sequence[Trial], running: Trial, *, epochs: int) -> bool:
    """Whether the curve of a trial stayed below the median of the finished ones, of as many epochs.

    Never in the first third of its `epochs`. Trials of the same values, which processes side by side
    draw where the file system has no locks, count once.
    """
    import optuna

    pruner = optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED_TRIALS, n_warmup_steps=epochs // 3)
    others: list[Trial] = []
    for trial in trials:
        is_other = trial.number != running.number and trial.state == "finished"
        if is_other and all(trial.values != other.values for other in others):
            others.append(trial)
    return pruner.prune(_study(space, others, sampler=None), _frozen(space, running))


def _study(
    space: Sequence[Dimension], trials: Sequence[Trial], *, sampler: optuna.samplers.BaseSampler | None
) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials([_frozen(space, trial) for trial in trials])
    return study


def _frozen(space: Sequence[Dimension], trial: Trial) -> optuna.trial.FrozenTrial:
    from optuna.trial import TrialState, create_trial

    states = {
        "begun": TrialState.RUNNING,
        "finished": TrialState.COMPLETE,
        "pruned": TrialState.PRUNED,
        "failed": TrialState.FAIL,
    }
    return create_trial(
        state=states[trial.state],
        value=trial.score if trial.state == "finished" else None,
        params={dimension.key: _parameter(dimension, trial.values[dimension.key]) for dimension in space},
        distributions=_distributions(space),
        intermediate_values=dict(enumerate(trial.curve, start=1)),
    )


def _distributions(space: Sequence[Dimension]) -> dict[str, optuna.distributions.BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    made: dict[str, optuna.distributions.BaseDistribution] = {}
    for dimension in space:
        if dimension.kind == "choice":
            made[dimension.key] = CategoricalDistribution(range(len(dimension.values)))
        elif dimension.kind == "int":
            made[dimension.key] = IntDistribution(*dimension.values)
        else:
            made[dimension.key] = FloatDistribution(*dimension.values, log=dimension.kind == "log")
    return made


def _value(dimension: Dimension, parameter: Any) -> Any:
    """Choices are numbered for Optuna, which takes no lists."""
    return dimension.values[parameter] if dimension.kind == "choice" else parameter


def _parameter(dimension: Dimension, value: Any) -> Any:
    return dimension.values.index(value) if dimension.kind == "choice" else value
