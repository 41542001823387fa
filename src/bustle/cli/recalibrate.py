"""`bustle recalibrate`: a model package whose answers are fitted to a site's own cases."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from bustle.core.paths import given_path

if TYPE_CHECKING:
    from bustle.inference.package import LocalFit

HELP = "Fit the answers of a model package to a site's own cases: thresholds and probabilities, not the network."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "package", type=given_path, metavar="PACKAGE", help="a package of `bustle export`, or reference"
    )
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        required=True,
        metavar="SPEC",
        help="the site's own cases of known class, READER:PATH[?key=value&...], the more the better; with patients "
        "named, so that no patient is fitted on and checked with",
    )
    parser.add_argument(
        "--out", type=given_path, required=True, metavar="NEW", help="the package to write, a zip if it ends in .zip"
    )


def run(arguments: argparse.Namespace) -> int:
    from bustle.data.sources import check_specs, open_sources
    from bustle.experiments.recalibrate import recalibrate

    check_specs(arguments.data)
    record = recalibrate(arguments.package, load_data=partial(open_sources, arguments.data), out=arguments.out)
    assert record.local_fit is not None, "written by every recalibration"
    _print(record.local_fit)
    print(f"written to {arguments.out}")
    return 0


def _print(fit: LocalFit) -> None:
    from bustle.evaluation.metrics import ANSWERS, CLASSIFICATION
    from bustle.export.local_fit import counted, fitted_on, verdict
    from bustle.report.wording import short_figure

    titles = {name: metric.title for name, metric in (ANSWERS | CLASSIFICATION).items()}
    rows = [("", "before", "after", "n")]
    rows += [
        (titles[each.metric], short_figure(each.before), short_figure(each.after), counted(each))
        for each in fit.figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    print(fitted_on(fit))
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    print(verdict(fit))
