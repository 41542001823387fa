"""`bustle train`: from images on disk to trained, tested folds and their scores."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from bustle.cli.engine_options import add_engine_arguments, chosen_engine, count
from bustle.cli.time_budget import add_time_budget, seconds_of
from bustle.cli.training_options import add_training_arguments, split_choice, telling_of_resume
from bustle.core.errors import InputError
from bustle.core.paths import given_path

HELP = "Train a recipe on data, predict the test part of each fold and score it."

DESCRIPTORS = "descriptors"
"""In place of a recipe: the model on measured descriptors, which is no network."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_training_arguments(
        parser,
        recipe="a shipped recipe (`bustle models list`), a YAML file, or `descriptors`",
        out="RUN",
        noun="run",
    )
    parser.add_argument("--fold", type=int, metavar="K", help="train this fold only; folds count from 0")
    add_engine_arguments(parser, of="the folds")
    parser.add_argument(
        "--devices",
        type=count,
        default=1,
        metavar="N",
        help="processes of this machine that share every batch of a fold, with a GPU each if it has any (default: 1)",
    )
    add_time_budget(parser, of="fold")
    parser.add_argument("--resume", action="store_true", help="go on after the last finished epoch of such a run")
    parser.add_argument(
        "--refit",
        action="store_true",
        help="with --resume: fit the rule for the answers of finished folds anew, and score them by it",
    )
    parser.add_argument(
        "--predictions",
        type=given_path,
        metavar="DIR",
        help="with `descriptors`: predictions of the same cases, whose outlines are measured too",
    )


def run(arguments: argparse.Namespace) -> int:
    from bustle.core.recipe import load_recipe
    from bustle.data.sources import check_specs, open_sources

    if arguments.recipe == DESCRIPTORS:
        return _train_descriptors(arguments)
    if arguments.predictions is not None:
        raise InputError("--predictions goes with `bustle train descriptors`", remedy="leave it out")
    if arguments.refit and not arguments.resume:
        raise InputError("--refit is for a run that is there", remedy="add --resume")
    if arguments.devices > 1 and arguments.engine != "local":
        raise InputError("--devices shares a fold on this machine alone", remedy="leave out --engine")
    seconds = seconds_of(arguments.time_budget)
    if seconds is not None and arguments.engine != "local":
        raise InputError("--time-budget is for folds one after another", remedy="leave out --engine")
    out = arguments.out
    recipe = load_recipe(arguments.recipe, overrides=arguments.overrides)
    check_specs(arguments.data)  # before the imports that take seconds
    from bustle.cli.run_table import print_run
    from bustle.experiments.train import run_training

    with telling_of_resume(out), ExitStack() as stack:
        summary = run_training(
            recipe,
            load_data=lambda: open_sources(arguments.data),
            out=out,
            split=split_choice(arguments),
            fold=arguments.fold,
            resume=arguments.resume,
            refit=arguments.refit,
            device=arguments.device,
            init=arguments.init,
            engine=chosen_engine(arguments, stack),
            devices=arguments.devices,
            seconds=seconds,
        )
    print_run(summary, out)
    return 0


def _train_descriptors(arguments: argparse.Namespace) -> int:
    from bustle.data.sources import check_specs, open_sources

    of_networks = {
        "--fold": arguments.fold is not None,
        "--protocol": arguments.protocol is not None,
        "--set": bool(arguments.overrides),
        "--resume": arguments.resume,
        "--refit": arguments.refit,
        "--init": arguments.init is not None,
        "--engine": arguments.engine != "local",
        "--devices": arguments.devices > 1,
        "--time-budget": arguments.time_budget is not None,
    }
    unwanted = next((option for option, given in of_networks.items() if given), None)
    if unwanted is not None:
        raise InputError(f"{unwanted} is for networks, not for `descriptors`", remedy="leave it out")
    check_specs(arguments.data)
    from bustle.experiments.train_descriptors import train_descriptors
    from bustle.report.wording import interval

    result = train_descriptors(
        lambda: open_sources(arguments.data),
        out=arguments.out,
        track=arguments.track,
        folds=arguments.folds,
        holdout=arguments.holdout,
        made=arguments.splits,
        predictions=arguments.predictions,
    )
    print(
        f"model on {len(result.descriptors)} measured descriptors: {result.n_cases} cases of {result.n_groups} "
        f"groups, {result.n_malignant} malignant, out of fold, track {result.track}"
    )
    for score in result.scores.values():
        missed = f", {score.n_without_outline} without an outline" if score.n_without_outline else ""
        print(f"  {score.title:<42} AUC {score.auc:.3f}   95 % {interval(score.ci95, 'fraction')}{missed}")
    print(f"files: {arguments.out}")
    return 0
