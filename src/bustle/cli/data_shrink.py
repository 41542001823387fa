"""`bustle data shrink`: small copies of data sets, to carry to another machine."""

from __future__ import annotations

import argparse

from bustle.core.paths import given_path

HELP = (
    "Write small copies of data sets (8-bit PNG), with masks, classes, patients and pixel sizes, to carry elsewhere."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("specs", nargs="+", metavar="SPEC", help="data, READER:PATH[?key=value&...]")
    parser.add_argument(
        "--longest-side",
        type=int,
        default=256,
        metavar="PIXELS",
        help="images are made smaller until no side is longer (default: 256)",
    )
    parser.add_argument("--out", type=given_path, required=True, metavar="DIR", help="new or empty folder")


def run(arguments: argparse.Namespace) -> int:
    from bustle.data.small_copy import write_small_copies
    from bustle.data.sources import open_sources
    from bustle.experiments.reader_findings import tell_findings

    collection = open_sources(arguments.specs)
    tell_findings(collection)
    for source in write_small_copies(collection.cases, arguments.out, longest_side=arguments.longest_side):
        print(
            f"{source.cases} cases, {source.bytes / 1e6:.1f} MB: "
            f"read them with --data 'folder:{arguments.out / source.name}?name={source.name}'"
        )
    return 0
