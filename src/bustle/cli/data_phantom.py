"""`bustle data phantom`: writes a generated data set."""

from __future__ import annotations

import argparse

HELP = "Write a data set of generated breast ultrasound images, with lesion and gland masks and classes."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", type=int, default=200, metavar="N", help="number of images (default: 200)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same files (default: 0)")
    parser.add_argument("--size", type=int, default=256, metavar="PIXELS", help="width and height (default: 256)")
    parser.add_argument("--out", required=True, metavar="DIR", help="new or empty folder, or one to be continued")


def run(arguments: argparse.Namespace) -> int:
    from collections import Counter
    from pathlib import Path

    from bustle.data.phantom.dataset import write_phantom_set

    out = Path(arguments.out)
    plans = write_phantom_set(out, cases=arguments.cases, seed=arguments.seed, size=arguments.size)
    labels = Counter(plan.patient.label for plan in plans)
    patients = len({plan.patient_id for plan in plans})
    counts = ", ".join(f"{labels[label]} {label}" for label in ("benign", "malignant", "normal"))
    print(f"{len(plans)} images of {patients} patients ({counts}), written to {out}")
    print(f"read them with --data folder:{out}")
    return 0
