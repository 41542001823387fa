"""`bustle predict manifest:FILE`: the files of an archive, answered into tables."""

from __future__ import annotations

import argparse
import contextlib

from bustle.cli.engine_options import chosen_engine
from bustle.cli.predict import MANIFEST
from bustle.core.errors import InputError
from bustle.core.paths import given_path

_OF_FILES = ("save_probability", "explain", "save_channels", "centre", "spacing", "report", "format")
"""Options of single files, which no table of answers has."""


def run_archive(arguments: argparse.Namespace) -> int:
    from bustle.archive.predict_archive import predict_archive
    from bustle.inference.predictor import Predictor
    from bustle.inference.shipped import default_model

    if len(arguments.inputs) > 1:
        raise InputError(f"{MANIFEST}FILE must be the only input", remedy="list all files in one manifest")
    for name in _OF_FILES:
        if getattr(arguments, name) not in (None, False, ()):
            raise InputError(
                f"--{name.replace('_', '-')} does not go with {MANIFEST}FILE", remedy="name those files themselves"
            )
    with contextlib.ExitStack() as stack:
        summary = predict_archive(
            lambda: Predictor.open(arguments.model or default_model(), device=arguments.device),
            given_path(arguments.inputs[0].removeprefix(MANIFEST)),
            arguments.out,
            engine=chosen_engine(arguments, stack),
            resume=arguments.resume,
        )
    for decision, count in summary.decisions.items():
        print(f"{decision}: {count}")
    print(
        f"{summary.contents - summary.failed} of {summary.contents} contents of {summary.rows} files predicted by "
        f"'{summary.model}' ({summary.copies} copies, {summary.unread} files not readable, {summary.failed} without "
        f"an answer, {summary.unread_frames} frames not readable), written to {arguments.out}"
    )
    return 0 if summary.is_complete else 2
