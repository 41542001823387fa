"""Verbs of several commands: `bustle data audit` is the file `data_audit.py`, of the same form as a verb's."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from types import ModuleType


def _module(verb: str, subverb: str) -> ModuleType:
    return importlib.import_module(f"bustle.cli.{verb}_{subverb}")


def add_subverbs(parser: argparse.ArgumentParser, *, verb: str, subverbs: Sequence[str]) -> None:
    commands = parser.add_subparsers(dest="subverb", metavar="COMMAND", required=True)
    for subverb in subverbs:
        module = _module(verb, subverb)
        command = commands.add_parser(subverb, help=module.HELP, description=module.HELP)
        module.add_arguments(command)


def run_subverb(arguments: argparse.Namespace) -> int:
    return _module(arguments.verb, arguments.subverb).run(arguments)
