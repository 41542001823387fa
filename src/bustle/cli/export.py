"""`bustle export`: a trained run as one model package, which predicts without PyTorch."""

from __future__ import annotations

import argparse

from bustle.core.paths import given_path

HELP = "Write a trained run as a model package (ONNX), checked against the run's own networks."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", type=given_path, metavar="RUN", help="run folder of `bustle train` (its finished folds), or RUN/fold-K"
    )
    parser.add_argument(
        "--out",
        type=given_path,
        required=True,
        metavar="PACKAGE",
        help="folder to write, such as model.bustle; a zip if it ends in .zip",
    )
    parser.add_argument(
        "--half",
        action="store_true",
        help="store the large weights in half precision: half of the size, computed with as before",
    )


def run(arguments: argparse.Namespace) -> int:
    from bustle.experiments.export import export_run

    out = arguments.out
    record = export_run(arguments.run, out, half=arguments.half)
    networks = "1 network" if len(record.weights) == 1 else f"the mean of {len(record.weights)} networks"
    print(f"{record.title}: {networks}, written to {out}")
    parity = record.parity
    assert parity is not None, "written by every export"
    differences = (parity.largest_mask_difference, parity.largest_class_difference)
    largest = max(value for value in differences if value is not None)
    print(
        f"checked against PyTorch on {sum(parity.batches)} images: probabilities differ by at most {largest:.1e}, "
        f"{parity.flipped_pixels} of {parity.pixels} mask pixels flipped"
    )
    return 0
