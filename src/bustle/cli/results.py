"""`bustle results`: what is kept of runs when their folders are gone."""

from __future__ import annotations

import argparse

from bustle.cli.verb_commands import add_subverbs, run_subverb

HELP = "Keep the results of finished runs, one compact file each."
SUBVERBS = ("add",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_subverbs(parser, verb="results", subverbs=SUBVERBS)


def run(arguments: argparse.Namespace) -> int:
    return run_subverb(arguments)
