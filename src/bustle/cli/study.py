"""`bustle study`: studies of evaluation itself."""

from __future__ import annotations

import argparse

from bustle.cli.verb_commands import add_subverbs, run_subverb

HELP = "Studies of evaluation itself: what the flaws of protocols are worth, and how models do on other data sets."
SUBVERBS = ("leakage", "generalise")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_subverbs(parser, verb="study", subverbs=SUBVERBS)


def run(arguments: argparse.Namespace) -> int:
    return run_subverb(arguments)
