"""`bustle sweep`: values of a recipe's keys, compared on validation cases alone."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from contextlib import ExitStack
from statistics import stdev
from typing import TYPE_CHECKING

from bustle.cli.engine_options import add_engine_arguments, chosen_engine, count
from bustle.cli.training_options import add_training_arguments, split_choice, telling_of_resume

if TYPE_CHECKING:
    from bustle.experiments.sweep.sweep import SweepSummary
    from bustle.experiments.sweep.trials import Trial

HELP = "Train a recipe with other values of its keys, and choose the best by inner validation."

SHOWN = 10
"""Trials in the printed table."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_training_arguments(
        parser, recipe="a shipped recipe (`bustle models list`), or a YAML file", out="SWEEP", noun="sweep"
    )
    parser.add_argument(
        "--over",
        required=True,
        nargs="+",
        action="extend",
        metavar="KEY=VALUES",
        help="what to try, in quotes: 'optimizer.lr=log(1e-4,1e-2)', 'data.size=choice([128,128],[256,256])', "
        "'model.config.dropout=uniform(0,0.5)', 'training.batch_size=int(4,16)'",
    )
    parser.add_argument(
        "--trials",
        type=count,
        metavar="N",
        help="how many, proposed by Optuna (default: all combinations of choices)",
    )
    parser.add_argument("--seeds", type=count, default=1, metavar="N", help="trainings of each trial (default: 1)")
    parser.add_argument("--fold", type=int, default=0, metavar="K", help="the fold that is trained (default: 0)")
    parser.add_argument(
        "--no-pruning", action="store_true", help="finish also trials whose curve stays below the median"
    )
    add_engine_arguments(parser, of="the trials")
    parser.add_argument("--resume", action="store_true", help="go on with such a sweep, or add trials to it")


def run(arguments: argparse.Namespace) -> int:
    from bustle.core.recipe import load_recipe
    from bustle.data.sources import check_specs, open_sources
    from bustle.experiments.sweep.space import parse_dimension

    recipe = load_recipe(arguments.recipe, overrides=arguments.overrides)
    space = [parse_dimension(text) for text in arguments.over]
    check_specs(arguments.data)  # before the imports that take seconds
    import optuna  # noqa: F401  (not in the middle of the sweep)

    from bustle.experiments.sweep.sweep import run_sweep

    with telling_of_resume(arguments.out), ExitStack() as stack:
        summary = run_sweep(
            recipe,
            load_data=lambda: open_sources(arguments.data),
            out=arguments.out,
            space=space,
            trials=arguments.trials,
            split=split_choice(arguments),
            fold=arguments.fold,
            seeds=arguments.seeds,
            prune=not arguments.no_pruning,
            resume=arguments.resume,
            device=arguments.device,
            init=arguments.init,
            engine=chosen_engine(arguments, stack),
        )
    _print(summary, arguments)
    return 0


def _print(summary: SweepSummary, arguments: argparse.Namespace) -> None:
    keys = list(summary.trials[0].values)
    rows = [["trial", "score", *(["SD over seeds"] if summary.seeds > 1 else []), "epoch", *keys]]
    finished = [trial for trial in summary.trials if trial.state == "finished"]
    for trial in finished[:SHOWN]:
        spread = [f"{stdev(trial.scores):.4f}"] if summary.seeds > 1 else []
        epochs = " ".join(map(str, trial.best_epochs))
        rows.append([str(trial.number), f"{trial.score:.4f}", *spread, epochs, *(_cell(trial, key) for key in keys)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    ended = Counter(trial.state for trial in summary.trials)
    print(f"\n{summary.title}: " + ", ".join(f"{number} trials {state}" for state, number in ended.items()))
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    print(
        f"score: training.monitor ({summary.monitor}) on {summary.validation_cases} validation cases of fold "
        f"{summary.fold}; the best of many is too good, and no test case was predicted"
    )
    print(f"files: {arguments.out}; test the best once: {_test_of_best(arguments)} --data … --out …")


def _test_of_best(arguments: argparse.Namespace) -> str:
    """The command that trains the best trial again as it was trained, without where its data is and where it goes."""
    from bustle.experiments.sweep.trials import SweepLayout

    layout = SweepLayout(arguments.out)
    words = ["bustle", "train", str(layout.best), "--splits", str(layout.splits), "--fold", str(arguments.fold)]
    if arguments.track != "strict":
        words += ["--track", arguments.track]
    for option, value in (("--protocol", arguments.protocol), ("--init", arguments.init)):
        words += [] if value is None else [option, str(value)]
    return shlex.join(words)


def _cell(trial: Trial, key: str) -> str:
    value = trial.values[key]
    return f"{value:.4g}" if isinstance(value, float) else str(value)
