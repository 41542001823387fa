"""`bustle data`: look at data sets, split or shrink them, generate one, or take the patients out of one."""

from __future__ import annotations

import argparse

from bustle.cli.verb_commands import add_subverbs, run_subverb

HELP = "Audit data sets, split them, make them small, generate a phantom data set, or de-identify DICOM studies."
SUBVERBS = ("audit", "split", "shrink", "phantom", "deidentify")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_subverbs(parser, verb="data", subverbs=SUBVERBS)


def run(arguments: argparse.Namespace) -> int:
    return run_subverb(arguments)
