"""`bustle results add`: a finished run as one compact file, which `bustle compare` takes as it takes the run."""

from __future__ import annotations

import argparse

from bustle.core.paths import given_path

HELP = "Write a finished run's figures, cases and learning curves into one file, and its split beside it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=given_path, metavar="RUN", help="the folder of a finished run")
    parser.add_argument(
        "--to",
        type=given_path,
        default=given_path("results"),
        metavar="DIR",
        help="where the file goes (default: results)",
    )
    parser.add_argument("--name", metavar="NAME", help="of the file, without .json (default: that of the run folder)")


def run(arguments: argparse.Namespace) -> int:
    from bustle.experiments.add_result import add_result

    added = add_result(arguments.run, to=arguments.to, name=arguments.name)
    print(f"written: {added.run}, with the split {added.splits}")
    return 0
