"""`bustle data phantom`: writes a generated data set."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HELP = "Write a data set of generated breast ultrasound images or videos, with masks or boxes, and classes."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--cases", type=int, default=200, metavar="N", help="number of images (default: 200)")
    what.add_argument("--cine", type=int, metavar="N", help="instead: number of videos, with boxes on a few frames")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same files (default: 0)")
    parser.add_argument("--size", type=int, default=256, metavar="PIXELS", help="width and height (default: 256)")
    parser.add_argument("--out", required=True, metavar="DIR", help="new or empty folder, or one to be continued")


def run(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    out = Path(arguments.out)
    if arguments.cine is not None:
        return _write_videos(out, videos=arguments.cine, seed=arguments.seed, size=arguments.size)
    return _write_images(out, cases=arguments.cases, seed=arguments.seed, size=arguments.size)


def _write_images(out: Path, *, cases: int, seed: int, size: int) -> int:
    from collections import Counter

    from bustle.data.phantom.dataset import write_phantom_set

    plans = write_phantom_set(out, cases=cases, seed=seed, size=size)
    labels = Counter(plan.patient.label for plan in plans)
    patients = len({plan.patient_id for plan in plans})
    counts = ", ".join(f"{labels[label]} {label}" for label in ("benign", "malignant", "normal"))
    print(f"{len(plans)} images of {patients} patients ({counts}), written to {out}")
    print(f"read them with --data folder:{out}")
    return 0


def _write_videos(out: Path, *, videos: int, seed: int, size: int) -> int:
    from collections import Counter

    from bustle.data.phantom.cine_dataset import VIDEOS, write_cine_set

    plans = write_cine_set(out, videos=videos, seed=seed, size=size)
    labels = Counter(plan.patient.label for plan in plans)
    patients = len({plan.patient_id for plan in plans})
    frames, boxed = sum(plan.frames for plan in plans), sum(len(plan.boxed) for plan in plans)
    print(
        f"{len(plans)} videos of {patients} patients ({labels['benign']} benign, {labels['malignant']} malignant): "
        f"{frames} frames, {boxed} of them with boxes, written to {out}"
    )
    print(f"read them with --data frames:{out / VIDEOS}")
    return 0
