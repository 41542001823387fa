"""`bustle compare`: how far runs differ on the same test cases, and whether chance explains it."""

from __future__ import annotations

import argparse
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.paths import given_path
from bustle.core.run_layout import ComparisonFolder

HELP = "compare runs on the same test cases: differences, intervals and tests"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        nargs="+",
        type=given_repeats,
        metavar="RUN[,RUN...]",
        help="two or more run folders, single folds (RUN/fold-K), results of evaluate or files of `results add`; "
        "the first is the reference that the others are compared with; repeats of one method with other seeds are "
        "joined with commas",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        metavar="SPEC",
        help="the data on which the runs were tested, READER:PATH[?key=value&...]: the report then shows image, "
        "truth and every run's outline of the cases on which the runs differ most",
    )
    parser.add_argument("--out", type=given_path, required=True, metavar="DIR", help="where the results go")


def given_repeats(text: str) -> tuple[Path, ...]:
    """One run, or the repeats of one; a path that exists may have commas in its name."""
    whole = given_path(text)
    return (whole,) if whole.exists() else tuple(given_path(part) for part in text.split(",") if part)


def run(arguments: argparse.Namespace) -> int:
    out: Path = arguments.out
    if out.is_file():
        raise InputError("is a file", remedy="give a folder for --out", path=out)
    from bustle.data.sources import check_specs, open_sources

    check_specs(arguments.data or ())
    from bustle.cli.comparison_table import print_comparison
    from bustle.experiments.compare import compare_runs

    cases = None if arguments.data is None else open_sources(arguments.data).cases
    print_comparison(compare_runs(arguments.runs, out=out, cases=cases))
    print(
        "\nreference, run: over the cases that both have; Holm p: corrected for all comparisons of the same kind; "
        "intervals and tests keep groups together"
    )
    written = ComparisonFolder(out)
    print(f"written to {written.record} and {written.report}")
    return 0
