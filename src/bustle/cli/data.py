"""`bustle data`: look at data sets, split them, generate one, or take the patients out of one."""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType

HELP = "Audit data sets, split them into folds, generate a phantom data set, or de-identify DICOM studies."
SUBVERBS = ("audit", "split", "phantom", "deidentify")


def _module(subverb: str) -> ModuleType:
    return importlib.import_module(f"bustle.cli.data_{subverb}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="subverb", metavar="COMMAND", required=True)
    for subverb in SUBVERBS:
        module = _module(subverb)
        command = commands.add_parser(subverb, help=module.HELP, description=module.HELP)
        module.add_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    return _module(arguments.subverb).run(arguments)
