"""`bustle study leakage`: by how much each flaw of published protocols raises the figures."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bustle.cli.study_options import add_study_options, refuse_file
from bustle.core.paths import given_path

if TYPE_CHECKING:
    from bustle.evaluation.inflation import LeakageStudy

HELP = "Train and score with and without each flaw of published protocols: how much each raises the figures."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        required=True,
        metavar="SPEC",
        help="data sets, READER:PATH[?key=value&...]; each is studied by itself",
    )
    add_study_options(parser)
    parser.add_argument("--folds", type=int, default=3, metavar="N", help="folds of every training (default: 3)")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], metavar="SEED", help="one repeat each (default: 0)"
    )
    parser.add_argument(
        "--scored",
        type=given_path,
        nargs="+",
        metavar="DIR",
        help="instead of training, score these results of `bustle evaluate` in the flawed ways",
    )


def run(arguments: argparse.Namespace) -> int:
    refuse_file(arguments.out)
    from bustle.data.sources import check_specs, open_by_source, open_sources
    from bustle.experiments.leakage import rescored, study_leakage
    from bustle.experiments.own_outputs import LEAKAGE_PAGE

    check_specs(arguments.data)
    if arguments.scored is not None:
        study = rescored(arguments.scored, collection=open_sources(arguments.data), out=arguments.out)
    else:
        from bustle.core.recipe import load_recipe

        recipe = load_recipe(arguments.recipe, overrides=arguments.set)
        study = study_leakage(
            open_by_source(arguments.data),
            recipe=recipe,
            out=arguments.out,
            folds=arguments.folds,
            seeds=arguments.seeds,
            device=arguments.device,
        )
    _print(study)
    print(f"flawed less strict, with 95 % intervals over patients; written to {arguments.out / LEAKAGE_PAGE}")
    return 0


def _print(study: LeakageStudy) -> None:
    from bustle.report.leakage_page import metric_title
    from bustle.report.wording import interval, signed_number

    for result in study.results:
        print(f"{result.title} ({result.source})")
        for each in result.figures:
            change = signed_number(each.difference, each.unit)
            print(f"  {metric_title(each.metric)}: {change} [{interval(each.ci95, each.unit)}]")
