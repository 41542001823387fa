"""`bustle data audit`: what a data set holds, and what is wrong with it."""

from __future__ import annotations

import argparse

HELP = "Count, check and compare all cases; writes audit.json and audit.html with the pictures of every finding."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("specs", nargs="+", metavar="SPEC", help="data, READER:PATH[?key=value&...]")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for audit.json and audit.html")


def run(arguments: argparse.Namespace) -> int:
    """The exit code is 0 whatever was found: to find broken cases is what an audit is for."""
    from pathlib import Path

    from bustle.cli.audit_table import summary_lines
    from bustle.core.files import make_folder, write_json
    from bustle.data.audit.audit import audit, audit_as_json
    from bustle.data.sources import open_sources
    from bustle.report.audit_page import write_audit_page

    out = Path(arguments.out)
    collection = open_sources(arguments.specs)
    make_folder(out)
    found = audit(collection)
    summary = audit_as_json(found)
    write_json(out / "audit.json", summary)
    write_audit_page(out / "audit.html", found)
    print("\n".join(summary_lines(summary)))
    print(f"\nwritten: {out / 'audit.json'}\n         {out / 'audit.html'}")
    return 0
