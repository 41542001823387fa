"""`bustle data deidentify`: DICOM studies without their patients."""

from __future__ import annotations

import argparse
import sys

from bustle.core.paths import given_path

HELP = "Write DICOM studies anew without names, dates, private elements and text beside the tissue."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "studies",
        nargs="+",
        type=given_path,
        metavar="STUDY",
        help="a folder with DICOM files, also in folders below, a DICOMDIR, a file or a ZIP archive",
    )
    parser.add_argument(
        "--out",
        type=given_path,
        required=True,
        metavar="DIR",
        help="where DIR/<study>/<series>/<instance>.dcm and DIR/deidentified.json are written",
    )


def run(arguments: argparse.Namespace) -> int:
    from bustle.experiments.deidentify import RECORD, deidentify_into

    out = arguments.out
    done = deidentify_into(out, sources=arguments.studies)
    marked = [file for file in done.files if file.marked_frames]
    unbounded = [file for file in done.files if not file.regions_stated]
    for file in marked:
        frames = f"{len(file.marked_frames)} of {file.frames} frames"
        print(f"look at it: {file.path.relative_to(out)}: something like text is left in {frames}")
    print(f"{len(done.files)} files written without their patients to {out}")
    print(f"{len(unbounded)} of them state no B-mode region: only what is seen beside the tissue is blanked")
    print(f"what was done to each, and what is not proven: {out / RECORD}")
    if done.failures:
        print(f"bustle: {len(done.failures)} files are left out", file=sys.stderr)
        return 2
    return 0
