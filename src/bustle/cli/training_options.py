"""The options of commands that train a recipe on data."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.core.errors import InputError
from bustle.core.paths import given_path

if TYPE_CHECKING:
    from bustle.experiments.planned_run import SplitChoice


def add_training_arguments(parser: argparse.ArgumentParser, *, recipe: str, out: str, noun: str) -> None:
    """`recipe` is the help on the recipe, `out` what the folder to write is called, `noun` what it holds."""
    parser.add_argument("recipe", metavar="RECIPE", help=recipe)
    parser.add_argument(
        "--data", required=True, nargs="+", action="extend", metavar="SPEC", help="READER:PATH, one or several"
    )
    parser.add_argument("--out", type=given_path, required=True, metavar=out, help=f"the {noun} folder to write")
    division = parser.add_mutually_exclusive_group()
    division.add_argument("--folds", type=int, metavar="N", help="number of folds (default: the protocol's)")
    division.add_argument("--holdout", type=float, metavar="F", help="one fold that tests on this fraction")
    division.add_argument(
        "--splits", type=given_path, metavar="FILE", help="a splits.json that `bustle data split` wrote"
    )
    parser.add_argument(
        "--track",
        choices=("strict", "published"),
        default="strict",
        help="how cases are split and scored: strictly (default), or as the paper did",
    )
    parser.add_argument("--protocol", metavar="ID", help="the published track's protocol (default: the recipe's own)")
    parser.add_argument(
        "--set",
        dest="overrides",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="change the recipe, e.g. training.epochs=5 optimizer.lr=1e-3",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU if any")
    parser.add_argument(
        "--init",
        type=given_path,
        metavar="WEIGHTS|PACKAGE",
        help="what to start from: a safetensors file of a whole model or a timm encoder, or a package of one network "
        "(`reference` is the one that comes with bustle)",
    )


def split_choice(arguments: argparse.Namespace) -> SplitChoice:
    from bustle.experiments.planned_run import SplitChoice

    return SplitChoice(
        track=arguments.track,
        published_protocol=arguments.protocol,
        folds=arguments.folds,
        holdout=arguments.holdout,
        made=arguments.splits,
    )


@contextlib.contextmanager
def telling_of_resume(out: Path) -> Iterator[None]:
    """Within the block, Ctrl-C is an `InputError` that says how to go on in the folder `out`."""
    try:
        yield
    except KeyboardInterrupt:
        raise InputError(
            "interrupted; what was finished is saved", remedy="go on with the same command and --resume", path=out
        ) from None
