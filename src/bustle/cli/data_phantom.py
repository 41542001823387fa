"""`bustle data phantom`: writes a generated data set."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bustle.core.paths import given_path

if TYPE_CHECKING:
    from pathlib import Path

HELP = "Write a data set of generated breast ultrasound images, videos or volumes, with masks or boxes, and classes."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--cases", type=int, default=200, metavar="N", help="number of images (default: 200)")
    what.add_argument("--cine", type=int, metavar="N", help="instead: number of videos, with boxes on a few frames")
    what.add_argument("--volumes", type=int, metavar="N", help="instead: number of ABUS volumes (NRRD), with masks")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same files (default: 0)")
    grid = parser.add_mutually_exclusive_group()
    grid.add_argument(
        "--size", type=int, metavar="PIXELS", help="width and height of images and videos (default: 256)"
    )
    grid.add_argument(
        "--coarse",
        type=int,
        metavar="TIMES",
        help="make the voxels of volumes so many times as long along every axis "
        "(default: 1, that is 318 x 512 x 300 voxels of 0.5 x 0.07 x 0.2 mm)",
    )
    parser.add_argument(
        "--out", type=given_path, required=True, metavar="DIR", help="new or empty folder, or one to be continued"
    )


def run(arguments: argparse.Namespace) -> int:
    from bustle.core.errors import InputError

    out, seed = arguments.out, arguments.seed
    if arguments.volumes is not None:
        if arguments.size is not None:
            raise InputError("--size is for images and videos", remedy="use --coarse 2 for half of the voxels")
        coarse = 1 if arguments.coarse is None else arguments.coarse
        return _write_volumes(out, volumes=arguments.volumes, seed=seed, coarse=coarse)
    if arguments.coarse is not None:
        raise InputError("--coarse is for volumes", remedy="use --size, or add --volumes N")
    size = 256 if arguments.size is None else arguments.size
    if arguments.cine is not None:
        return _write_videos(out, videos=arguments.cine, seed=seed, size=size)
    return _write_images(out, cases=arguments.cases, seed=seed, size=size)


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

    from bustle.data.phantom.cine_dataset import write_cine_set
    from bustle.data.phantom.claimed_set import VIDEOS

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


def _write_volumes(out: Path, *, volumes: int, seed: int, coarse: int) -> int:
    from collections import Counter

    from bustle.data.phantom.volume_dataset import write_volume_set

    plans = write_volume_set(out, volumes=volumes, seed=seed, coarse=coarse)
    labels = Counter(plan.patient.label for plan in plans)
    patients = len({plan.patient_id for plan in plans})
    print(
        f"{len(plans)} volumes of {patients} patients ({labels['benign']} benign, {labels['malignant']} malignant), "
        f"written to {out}"
    )
    print(f"read them with --data folder:{out}")
    return 0
