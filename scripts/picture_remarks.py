"""How many real pictures get a remark on how they look, and how many that deserve one.

Every image is asked as it is, inverted, and beside the next image of its data set. Usage: `.venv/bin/python
scripts/picture_remarks.py --data busi:… bus-bra:… breast:… --json results/reference/picture_remarks.json`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.files import write_json
from bustle.core.progress import progress
from bustle.data.relations.frame_features import to_grey
from bustle.data.sources import open_sources
from bustle.inference.picture_remarks import picture_remarks


def beside(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two images `C H W` in grey and of the first one's size, side by side."""
    height, width = left.shape[1:]
    planes = [cv2.resize(to_grey(image), (width, height), interpolation=cv2.INTER_AREA) for image in (left, right)]
    return np.concatenate(planes, axis=1, dtype=np.uint8)[None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, metavar="SPEC")
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    found: dict[str, dict[str, dict[str, int]]] = {}
    for spec in arguments.data:
        cases = open_sources([spec]).cases
        counts = {kind: Counter[str]({"pictures": 0}) for kind in ("as it is", "inverted", "beside the next")}
        images = (case.load().image for case in cases)
        for image, following in progress(
            pairwise(images), description=cases[0].source, total=len(cases) - 1, unit="image"
        ):
            pictures = {"as it is": image, "inverted": 255 - image, "beside the next": beside(image, following)}
            for kind, picture in pictures.items():
                counts[kind].update(["pictures", *picture_remarks(picture)])
        found[cases[0].source] = {kind: dict(each) for kind, each in counts.items()}
    write_json(arguments.json, found)


if __name__ == "__main__":
    main()
