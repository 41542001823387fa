"""`bustle data split`: folds by the strict rules or by a paper's own protocol."""

from __future__ import annotations

import argparse

from bustle.core.paths import given_path

HELP = "Split cases into folds so that no patient and no copied frame is in two parts; writes splits.json."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("specs", nargs="+", metavar="SPEC", help="data, READER:PATH[?key=value&...]")
    parser.add_argument("--track", choices=("strict", "published"), default="strict", help="default: strict")
    parser.add_argument(
        "--protocol",
        metavar="ID",
        help="of the published track: rmtl, lanet, acsnet, acsnet-clean, abus, ctg or bus-bra (default: rmtl)",
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--folds", type=int, metavar="N", help="number of folds (default: the protocol's)")
    amount.add_argument(
        "--holdout", type=float, metavar="F", help="one fold that tests on this fraction of the cases"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="default: the protocol's")
    parser.add_argument("--classes", metavar="A,B", help="leave out cases of other classes, e.g. benign,malignant")
    parser.add_argument(
        "--multi-mask",
        choices=("union", "drop"),
        default="union",
        help="drop: leave out cases with several mask files",
    )
    parser.add_argument("--out", type=given_path, required=True, metavar="FILE", help="the splits.json to write")


def run(arguments: argparse.Namespace) -> int:
    from bustle.cli.split_table import split_lines
    from bustle.data.sources import open_sources
    from bustle.experiments.split import draw_split

    drawn = draw_split(
        lambda: open_sources(arguments.specs),
        out=arguments.out,
        track=arguments.track,
        protocol=arguments.protocol,
        folds=arguments.folds,
        holdout=arguments.holdout,
        seed=arguments.seed,
        classes=None if arguments.classes is None else tuple(arguments.classes.split(",")),
        multi_mask=arguments.multi_mask,
    )
    print("\n".join(split_lines(drawn.splits, drawn.cases)))
    print(f"\nwritten: {arguments.out}")
    return 0
