"""The option of commands that stop between two trainings once their time is up."""

from __future__ import annotations

import argparse
import re

from bustle.core.errors import InputError

UNITS = {"s": 1, "m": 60, "h": 3600}


def add_time_budget(parser: argparse.ArgumentParser, *, of: str) -> None:
    """`of` is what is always brought to its end, in words."""
    parser.add_argument("--time-budget", metavar="TIME", help=f"stop after the {of} that reaches it: 90s, 9m, 1.5h")


def seconds_of(budget: str | None) -> float | None:
    """Raises `InputError` for anything but a number with s, m or h."""
    if budget is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", budget.strip())
    if found is None:
        raise InputError(f"'{budget}' is no time", remedy="give --time-budget 90s, 9m or 1.5h")
    return float(found[1]) * UNITS[found[2]]
