"""`bustle export`: a trained run as one model package, which predicts without PyTorch."""

from __future__ import annotations

import argparse
from functools import partial

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
    parser.add_argument(
        "--licence",
        metavar="TEXT",
        help="the licence of the weights, for package.json and the card; default: none is granted",
    )
    parser.add_argument(
        "--with-cases",
        nargs="+",
        metavar="SPEC",
        help="the data that the run was trained on, READER:PATH[?key=value&...]: keep the class, the data set's name "
        "and an embedding of 16 bytes of each training case, so that answers name the most similar ones; never a "
        "picture. Default: keep none",
    )


def run(arguments: argparse.Namespace) -> int:
    from bustle.data.sources import check_specs, open_sources
    from bustle.experiments.export import export_run

    out, specs = arguments.out, arguments.with_cases
    if specs:
        check_specs(specs)
    data = partial(open_sources, specs) if specs else None
    record = export_run(arguments.run, out, half=arguments.half, licence=arguments.licence, training_data=data)
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
    if record.training_cases is not None:
        print(f"{record.training_cases.count} training cases are kept as class, data set and embedding")
    return 0
