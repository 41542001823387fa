"""`bustle serve backup` and `bustle serve restore`: a page as one file, and back."""

from __future__ import annotations

import argparse

from bustle.cli.page_place import page_place
from bustle.core.paths import given_path
from bustle.core.progress import announce


def add_backup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=given_path, metavar="FILE", help="a new file; it will hold patients' pictures")


def add_restore_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=given_path, metavar="FILE", help="what `bustle serve backup` wrote")


def run_backup(arguments: argparse.Namespace) -> int:
    from bustle.webapp.backup import back_up

    kept = back_up(*page_place(arguments), arguments.file)
    announce(f"bustle: {kept.cases} cases of {kept.drops} drops are kept in {arguments.file}")
    return 0


def run_restore(arguments: argparse.Namespace) -> int:
    from bustle.webapp.backup import restore

    data, database = page_place(arguments)
    kept = restore(arguments.file, data, database)
    announce(f"bustle: {kept.cases} cases of {kept.drops} drops are back in {data.path}")
    return 0
