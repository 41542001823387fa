"""What the commands of `bustle study` that train are all asked: the folder, the recipe and the device."""

from __future__ import annotations

import argparse
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.paths import given_path


def add_study_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=given_path, required=True, metavar="DIR", help="where runs and results go")
    parser.add_argument("--recipe", default="demo", metavar="RECIPE", help="default: demo, a small network")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="changes of the recipe"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")


def refuse_file(out: Path) -> None:
    """Raises `InputError` for an `out` that is a file."""
    if out.is_file():
        raise InputError("is a file", remedy="give a folder for --out", path=out)
