"""In how many images whose edge cuts a lesion an answer says so, and in how many others it says so wrongly.

Usage: `.venv/bin/python scripts/cut_off_lesions.py --data SPEC... --split SPLIT.json --json FILE`. The test cases of
the split's only fold are sought in the data, cut through their lesion, at its side and below, and answered by the
reference model; uncut images are asked, too.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.core.files import write_json
from bustle.core.progress import progress
from bustle.core.types import Sample
from bustle.data.relations.frame_features import to_grey
from bustle.data.sources import open_sources
from bustle.data.splits.split_file import read_splits
from bustle.inference.descriptors.tissue import picture_frame
from bustle.inference.picture_remarks import CUT_OFF, SEEMS_CUT_OFF
from bustle.inference.predictor import Predictor
from bustle.inference.shipped import REFERENCE

NEAR = 0.04
"""Where an expert's outline comes nearer to an edge, in shares of the width or height, it may well be cut off."""

LEAST_HEIGHT = 96
"""Pixels of an image that is cut from below."""

SEED = 77
"""Of where each image is cut."""


def is_near(sample: Sample, mask: NDArray[np.bool_]) -> bool:
    rows, columns = picture_frame(to_grey(sample.image))
    seen = mask[rows, columns]
    height, width = seen.shape
    down, across = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    return not down.size or min(across[0] / width, 1 - across[-1] / width, 1 - down[-1] / height) < NEAR


def cut_images(sample: Sample, mask: NDArray[np.bool_], *, at: float) -> dict[str, tuple[slice, slice]]:
    """What is left of the image where a share `at` of the lesion's pixels is cut off to the one side, or below."""
    rows, columns = np.nonzero(mask)
    row, column = int(np.quantile(rows, 1 - at)), int(np.quantile(columns, 1 - at))
    every = slice(None)
    larger = slice(column) if column > mask.shape[1] / 2 else slice(int(np.quantile(columns, at)), None)
    found = {"cut at the side": (every, larger)}
    if row >= LEAST_HEIGHT:
        found["cut from below"] = (slice(row), every)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", required=True, metavar="SPEC")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True, help="where the counts are written")
    arguments = parser.parse_args()
    predictor = Predictor.open(Path(REFERENCE), device="cpu")
    (fold,) = read_splits(arguments.split).folds
    rng = np.random.default_rng(SEED)
    counts: Counter[str] = Counter()
    cases = [case for case in open_sources(arguments.data).cases if case.case_id in set(fold.test)]
    for case in progress(cases, description="test cases", total=len(cases), unit="case"):
        sample = case.load()
        mask = np.zeros(sample.image.shape[1:], bool) if sample.lesion_mask is None else sample.lesion_mask > 0
        pictures = {"normal": (slice(None), slice(None))}
        if mask.any():
            whole = "lesion near the edge" if is_near(sample, mask) else "lesion inside"
            pictures = {whole: (slice(None), slice(None)), **cut_images(sample, mask, at=rng.uniform(0.3, 0.7))}
        for kind, part in pictures.items():
            image = np.ascontiguousarray(sample.image[(slice(None), *part)])
            answered = predictor.predict(image, case_id="a")
            said = bool({CUT_OFF, SEEMS_CUT_OFF} & set(answered.remarks))
            segmentation = answered.segmentation
            met = segmentation is not None and bool((segmentation.mask & mask[part]).any())
            name = f"{sample.source}, {kind}"
            counts[name] += 1
            counts[f"{name}: said"] += said
            if mask.any():
                counts[f"{name}: not said, and the outline misses the lesion"] += not said and not met
    write_json(arguments.json, {"model": predictor.provenance.package, "seed": SEED, "counts": dict(counts)})


if __name__ == "__main__":
    main()
