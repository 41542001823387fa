"""How many of scikit-image's pictures, in colour and in grey, the reference model tells from breast ultrasound.

Usage: `.venv/bin/python scripts/other_pictures.py --json results/reference/other_pictures.json`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import skimage.data

from bustle.core.files import write_json
from bustle.inference.predictor import Predictor
from bustle.inference.shipped import REFERENCE

NAMES = (
    *("astronaut", "brick", "camera", "cat", "cell", "checkerboard", "clock", "coffee", "coins", "colorwheel"),
    *("grass", "gravel", "horse", "hubble_deep_field", "immunohistochemistry", "microaneurysms", "moon", "page"),
    *("retina", "rocket", "shepp_logan_phantom", "text"),
)


def as_bytes(name: str) -> np.ndarray:
    """A picture of scikit-image as uint8 `H W C` with 1 or 3 channels."""
    image = np.asarray(getattr(skimage.data, name)())
    image = image[..., None] if image.ndim == 2 else image[..., :3]
    if image.dtype == np.uint8:
        return image
    scaled = image.astype(np.float64) - float(image.min())
    return np.uint8(255 * scaled / scaled.max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where the answers are written")
    predictor = Predictor.open(Path(REFERENCE), device="cpu")
    answers = {}
    target = parser.parse_args().json
    for name in NAMES:
        image = as_bytes(name)
        for kind, shown in (("", image), (" (grey)", np.uint8(image.mean(axis=2, keepdims=True)))):
            pixels = np.ascontiguousarray(shown.transpose(2, 0, 1))
            answers[name + kind] = predictor.predict(pixels, case_id=name).decision
    refused = sum(answer == "no breast ultrasound" for answer in answers.values())
    write_json(target, {"model": predictor.provenance.package, "refused": refused, "answers": answers})
    print(f"{refused} of {len(answers)} are answered 'no breast ultrasound'")


if __name__ == "__main__":
    main()
