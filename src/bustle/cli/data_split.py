"""`bustle data split`: folds by the strict rules or by a paper's own protocol."""

from __future__ import annotations

import argparse

from bustle.core.errors import InputError
from bustle.core.paths import given_path

HELP = "Split cases into folds so that no patient and no copied frame is in two parts; writes splits.json."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("specs", nargs="+", metavar="SPEC", help="data, READER:PATH[?key=value&...]")
    parser.add_argument("--track", choices=("strict", "published"), default="strict", help="default: strict")
    parser.add_argument(
        "--protocol",
        metavar="ID",
        help="protocol of the published track: rmtl, lanet, acsnet, acsnet-clean, abus or ctg (default: rmtl)",
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
    from bustle.data.splits.split_file import claim_splits, write_splits
    from bustle.data.splits.splits import make_splits, protocol_of_split
    from bustle.experiments.reader_findings import tell_findings

    protocol = protocol_of_split(arguments.track, arguments.protocol)
    out = arguments.out
    if out.is_dir():
        raise InputError("is a folder", remedy="name the file, such as splits.json", path=out)
    collection = open_sources(arguments.specs)
    tell_findings(collection)
    with claim_splits(out):
        splits = make_splits(
            collection,
            protocol=protocol,
            track=arguments.track,
            folds=arguments.folds,
            holdout=arguments.holdout,
            seed=arguments.seed,
            classes=None if arguments.classes is None else tuple(arguments.classes.split(",")),
            multi_mask=arguments.multi_mask,
        )
        write_splits(out, splits)
    print("\n".join(split_lines(splits, collection.cases)))
    print(f"\nwritten: {out}")
    return 0
