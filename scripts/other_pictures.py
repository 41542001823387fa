"""How many pictures that are no grey breast ultrasound the reference model refuses, flags, or answers unflagged.

Made from what is at hand: scikit-image's own pictures, the test files of pydicom, generated pages and empty pictures,
simple phantoms of other organs, and the sample images of `bustle serve --demo` with flow painted on them.
Usage: `.venv/bin/python scripts/other_pictures.py --json results/reference/other_pictures.json`.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pydicom.data
import skimage.data
from numpy.typing import NDArray

from bustle.core.files import write_json
from bustle.inference.predictor import Predictor
from bustle.inference.shipped import REFERENCE
from bustle.io.raster import read_image

SAMPLES = Path(__file__).parents[1] / "src" / "bustle" / "webapp" / "demo" / "images"
Picture = tuple[str, str, NDArray[np.uint8]]
"""Its kind, its name and its pixels `C H W`."""

PHOTOS = (
    *("astronaut", "brick", "camera", "cat", "cell", "checkerboard", "clock", "coffee", "coins", "colorwheel"),
    *("grass", "gravel", "horse", "hubble_deep_field", "immunohistochemistry", "microaneurysms", "moon"),
    *("retina", "rocket"),
)
PAGES = ("page", "text")
SLICES = (
    *("693_J2KI.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "MR_small.dcm", "examples_overlay.dcm"),
    "JPEG2000.dcm",
)
"""CT, MR and nuclear medicine."""

ULTRASOUND = ("examples_jpeg2k.dcm", "examples_palette.dcm", "examples_rgb_color.dcm", "examples_ybr_color.dcm")
FLOW_SHARES = (0.005, 0.01, 0.05, 0.15, 0.3)


def pictures() -> Iterator[Picture]:
    for kind, names in (("photos, textures, microscopy", PHOTOS), ("text pages", PAGES)):
        for name in names:
            yield from in_colour_and_grey(kind, name, of_skimage(name))
    yield from (("text pages", f"generated {number}", page) for number, page in enumerate(generated_pages()))
    slices = [(name, of_pydicom(name)) for name in SLICES]
    slices.append(("shepp_logan_phantom", of_skimage("shepp_logan_phantom")))
    for name, image in slices:
        yield from in_colour_and_grey("CT, MR and other slices", name, image)
    for name in ULTRASOUND:
        yield from in_colour_and_grey("other ultrasound", name, of_pydicom(name))
    yield from (("phantoms of other organs", name, image) for name, image in organ_phantoms())
    yield from (("black, white, noise", name, image) for name, image in empty_pictures())
    for path in sorted(SAMPLES.glob("*.png")):
        image = read_image(path)
        for share in FLOW_SHARES:
            yield f"flow on {share:.1%} of a breast image", path.stem, with_flow(image[0], share=share)


def in_colour_and_grey(kind: str, name: str, image: NDArray[np.uint8]) -> Iterator[Picture]:
    yield kind, name, image
    if len(image) == 3:
        yield kind, f"{name} (grey)", np.uint8(image.mean(axis=0, keepdims=True))


def of_skimage(name: str) -> NDArray[np.uint8]:
    image = np.asarray(getattr(skimage.data, name)())
    return as_bytes(image[None] if image.ndim == 2 else image[..., :3].transpose(2, 0, 1))


def of_pydicom(name: str) -> NDArray[np.uint8]:
    """The first frame of a test file that pydicom installs, between the 1st and the 99th percentile."""
    path = pydicom.data.get_testdata_file(name, download=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = pydicom.dcmread(str(path))
        pixels = np.asarray(data.pixel_array)
    if data.get("PhotometricInterpretation") == "PALETTE COLOR":
        pixels = pydicom.pixels.apply_color_lut(pixels, data)
    frames = int(data.get("NumberOfFrames", 1))
    pixels = pixels[0] if frames > 1 else pixels
    return as_bytes(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))


def as_bytes(image: NDArray) -> NDArray[np.uint8]:
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    values = image.astype(np.float64)
    low, high = np.percentile(values, (1, 99))
    return np.uint8(255 * np.clip((values - low) / max(high - low, 1e-6), 0, 1))


def generated_pages() -> Iterator[NDArray[np.uint8]]:
    """Black on white and white on black, of three sizes of letters, and a form with lines."""
    for scale in (0.4, 0.7, 1.2):
        page = np.full((600, 450), 255, np.uint8)
        for top in range(30, 600, round(40 * scale)):
            cv2.putText(page, "Findings of the left breast 2026", (15, top), cv2.FONT_HERSHEY_SIMPLEX, scale, 0, 1)
        yield page[None]
        yield 255 - page[None]
    form = np.full((600, 450), 255, np.uint8)
    for top in range(40, 600, 40):
        cv2.line(form, (20, top), (430, top), 0, 1)
        cv2.putText(form, "Name", (25, top - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 60, 1)
    yield form[None]


def organ_phantoms() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Speckle about a kidney, a vessel, a gall bladder with a stone, a fetal head: as a rectangle and as a sector."""
    height, width = 400, 500
    y, x = np.mgrid[:height, :width].astype(np.float32)
    rng = np.random.default_rng(0)

    def ellipse(cy: float, cx: float, ry: float, rx: float) -> NDArray[np.float32]:
        return np.hypot((y - cy) / ry, (x - cx) / rx)

    kidney, sinus = ellipse(200, 250, 80, 160), ellipse(200, 250, 30, 100)
    vessel, bladder = ellipse(180, 250, 50, 50), ellipse(160, 250, 60, 120)
    stone, head = ellipse(205, 270, 12, 20), ellipse(200, 250, 120, 150)
    shadow = (np.abs(x - 270) < 18) & (y > 205)
    echoes = {
        "kidney": np.where(sinus < 1, 1.6, np.where(kidney < 1, 0.5, 1.0)),
        "vessel": np.where(np.abs(vessel - 1) < 0.08, 2.2, np.where(vessel < 1, 0.05, 0.8)),
        "gall bladder": np.where(stone < 1, 2.5, np.where(shadow, 0.1, np.where(bladder < 1, 0.05, 1.0))),
        "fetal head": np.where(np.abs(head - 1) < 0.04, 2.5, np.where(head < 1, 0.35, 0.7)),
    }
    sector = (np.abs(np.arctan2(x - width / 2, y + 60)) < 0.6) & (np.hypot(x - width / 2, y + 60) < 440) & (y > 0)
    for name, echo in echoes.items():
        noise = rng.normal(size=(2, height, width))
        real, imaginary = (cv2.GaussianBlur(each, (0, 0), 2.5, sigmaY=1.2) for each in noise)
        speckle = np.hypot(real, imaginary)
        decibels = 20 * np.log10(echo * speckle / speckle.mean() * np.exp(-y / 500) + 1e-3)
        image = np.uint8(np.clip(150 + 4 * decibels, 0, 255))
        yield name, image[None]
        yield f"{name} (sector)", np.where(sector, image, np.uint8(0))[None]


def empty_pictures() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    rng = np.random.default_rng(0)
    size = (300, 400)
    for name, value in (("black", 0), ("grey", 128), ("white", 255)):
        yield name, np.full((1, *size), value, np.uint8)
    yield "uniform noise", rng.integers(0, 256, (1, *size), np.uint8)
    yield "normal noise", np.uint8(rng.normal(128, 30, (1, *size)).clip(0, 255))
    yield "coloured noise", rng.integers(0, 256, (3, *size), np.uint8)
    yield "smooth noise", np.uint8(128 + 400 * cv2.GaussianBlur(rng.normal(size=size), (0, 0), 4)).clip(0, 255)[None]
    yield "gradient", np.tile(np.linspace(0, 255, size[1], dtype=np.uint8), (1, size[0], 1))


def with_flow(grey: NDArray[np.uint8], *, share: float) -> NDArray[np.uint8]:
    """An image `H W` with the red and blue of colour Doppler on so many of its pixels, in blobs about its middle."""
    height, width = grey.shape
    speed = cv2.GaussianBlur(np.random.default_rng(0).normal(size=grey.shape), (0, 0), 12)
    speed[: height // 5] = speed[-height // 5 :] = 0
    speed[:, : width // 5] = speed[:, -width // 5 :] = 0
    flows = np.abs(speed) > np.quantile(np.abs(speed), 1 - share)
    coloured = np.stack([grey] * 3)
    coloured[:, flows & (speed > 0)] = np.uint8([[230], [60], [30]])
    coloured[:, flows & (speed < 0)] = np.uint8([[30], [90], [230]])
    return coloured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where the answers are written")
    target = parser.parse_args().json
    predictor = Predictor.open(Path(REFERENCE), device="cpu")
    answers = []
    for kind, name, image in pictures():
        found = predictor.predict(np.ascontiguousarray(image), case_id="a")
        remarks = [remark for remark in found.remarks if "training" not in remark]
        answers.append({"kind": kind, "name": name, "decision": found.decision, "remarks": remarks})
    write_json(target, {"model": predictor.provenance.package, "answers": answers})
    for kind in dict.fromkeys(answer["kind"] for answer in answers):
        own = [answer for answer in answers if answer["kind"] == kind]
        refused = [answer["decision"] == "no breast ultrasound" for answer in own]
        flagged = sum(bool(answer["remarks"]) and not no for answer, no in zip(own, refused, strict=True))
        print(f"{kind}: {sum(refused)} of {len(own)} refused, {flagged} flagged")


if __name__ == "__main__":
    main()
