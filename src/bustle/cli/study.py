"""`bustle study`: studies of evaluation itself."""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType

HELP = "Studies of evaluation itself: what the flaws of protocols are worth, and how models do on other data sets."
SUBVERBS = ("leakage", "generalise")


def _module(subverb: str) -> ModuleType:
    return importlib.import_module(f"bustle.cli.study_{subverb}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="subverb", metavar="COMMAND", required=True)
    for subverb in SUBVERBS:
        module = _module(subverb)
        command = commands.add_parser(subverb, help=module.HELP, description=module.HELP)
        module.add_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    return _module(arguments.subverb).run(arguments)
