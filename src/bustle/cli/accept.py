"""`bustle accept`: whether a model keeps a site's limits on its own cases."""

from __future__ import annotations

import argparse
from functools import partial

from bustle.core.paths import given_path

HELP = "Test a model on a site's own cases against its limits: pass (exit code 0), fail (3), not enough cases (4)."
EXIT_CODES = {"pass": 0, "fail": 3, "not enough cases": 4}
"""What a script goes by: only what passed is 0. 1 and 2 say that nothing was judged."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "package", type=given_path, metavar="PACKAGE", help="a package of `bustle export`, a run, or reference"
    )
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        required=True,
        metavar="SPEC",
        help="the site's own annotated cases, READER:PATH[?key=value&...]",
    )
    parser.add_argument(
        "--limits",
        type=given_path,
        required=True,
        metavar="FILE",
        help="limits.yaml: `part: {metric: {at_least: 0.8}}`",
    )
    parser.add_argument(
        "--out",
        type=given_path,
        required=True,
        metavar="DIR",
        help="where the results go; the same folder after an upgrade lists every case whose answer changed",
    )
    parser.add_argument(
        "--groups", default="patient", metavar="patient|file|duplicates|AUDIT.json", help="as of `bustle evaluate`"
    )


def run(arguments: argparse.Namespace) -> int:
    from bustle.data.sources import check_specs, open_sources
    from bustle.evaluation.acceptance import LIMITED
    from bustle.experiments.accept import accept
    from bustle.experiments.own_outputs import ACCEPTANCE_PAGE
    from bustle.report.wording import interval, number

    check_specs(arguments.data)
    found = accept(
        arguments.package,
        load_data=partial(open_sources, arguments.data),
        limits=arguments.limits,
        out=arguments.out,
        groups=arguments.groups,
    )
    for warning in found.warnings:
        print(f"warning: {warning}")
    for each in found.limits:
        metric, estimate = LIMITED[each.part][each.metric], each.estimate
        value = f"{number(estimate.mean, estimate.unit)} [{interval(estimate.ci95, estimate.unit)}], n = {estimate.n}"
        remark = f" ({each.remark})" if each.remark else ""
        print(f"{each.verdict}: {metric.title} {each.limit}: {value}{remark}")
    if found.before is not None:
        count = len(found.changed)
        print(f"{count} answer{'s' * (count != 1)} changed since {found.before.model.title} was tested here")
        for changed in found.changed:
            print(f"  {changed.case_id}: {changed.before.decision} -> {changed.after.decision}")
    print(f"{found.verdict}; written to {arguments.out / ACCEPTANCE_PAGE}")
    return EXIT_CODES[found.verdict]
