"""`bustle data audit`: what a data set holds, and what is wrong with it."""

from __future__ import annotations

import argparse

from bustle.core.paths import given_path

HELP = "Count, check and compare all cases; writes audit.json and audit.html with the pictures of every finding."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("specs", nargs="+", metavar="SPEC", help="data, READER:PATH[?key=value&...], or a path alone")
    parser.add_argument(
        "--out", type=given_path, required=True, metavar="DIR", help="folder for audit.json and audit.html"
    )


def run(arguments: argparse.Namespace) -> int:
    """The exit code is 0 whatever was found: to find broken cases is what an audit is for."""
    from bustle.cli.audit_table import summary_lines
    from bustle.data.audit.record import audit_record
    from bustle.data.sources import open_sources
    from bustle.experiments.audit import PAGE, RECORD, audit_into

    out = arguments.out
    found = audit_into(out, collection=open_sources(arguments.specs))
    print("\n".join(summary_lines(audit_record(found))))
    print(f"\nwritten: {out / RECORD}\n         {out / PAGE}")
    return 0
