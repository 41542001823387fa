"""`bustle study generalise`: how models trained on some data sets do on others."""

from __future__ import annotations

import argparse

from bustle.cli.study_options import add_study_options, refuse_file

HELP = "Train on each data set and test on each other, with and without leaving one out: a matrix of figures."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        required=True,
        metavar="SPEC",
        help="two or more data sets, READER:PATH[?key=value&...]",
    )
    parser.add_argument(
        "--external",
        metavar="ID",
        help="only a predefined external test: bus-bra trains on BUS-BRA and tests on BrEaST and on BUSI without "
        "copies and conflicting classes",
    )
    add_study_options(parser)
    parser.add_argument(
        "--holdout",
        type=float,
        default=0.25,
        metavar="F",
        help="the share kept for the tests at home (default: 0.25)",
    )


def run(arguments: argparse.Namespace) -> int:
    refuse_file(arguments.out)
    from bustle.core.recipe import load_recipe
    from bustle.data.sources import check_specs, open_by_source
    from bustle.evaluation.generalisation import TITLES
    from bustle.experiments.external_protocol import load_external
    from bustle.experiments.generalise import study_generalisation
    from bustle.experiments.own_outputs import GENERALISATION_PAGE
    from bustle.report.wording import short_figure

    check_specs(arguments.data)
    external = None if arguments.external is None else load_external(arguments.external)
    opened = open_by_source(arguments.data)
    study = study_generalisation(
        opened if external is None else external.chosen(opened),
        recipe=load_recipe(arguments.recipe, overrides=arguments.set),
        out=arguments.out,
        holdout=arguments.holdout,
        device=arguments.device,
        first_alone=external is not None,
    )
    for cell in study.cells:
        home = ", at home" if cell.at_home else ""
        print(f"trained on {' + '.join(cell.trained_on)}, tested on {cell.tested_on}{home} ({cell.n} cases)")
        for name, figure in cell.figures.items():
            print(f"  {TITLES[name]}: {short_figure(figure)}")
        for warning in cell.warnings:
            print(f"  warning: {warning}")
    print(f"95 % intervals over patients; written to {arguments.out / GENERALISATION_PAGE}")
    return 0
