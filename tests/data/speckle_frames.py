"""Small generated B-mode frames and the ways in which a frame is copied, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Case, Geometry, Label, Sample
from bustle.io.raster import write_png

Grey = NDArray[np.uint8]


def tissue(seed: int, *, height: int = 240, width: int = 320) -> NDArray[np.float64]:
    """Scatterer strength: layers, a dark lesion and bright interfaces."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    strength = 0.6 + 0.25 * np.sin(y / random.uniform(8, 25) + random.uniform(0, 6) + 0.4 * np.sin(x / 60))
    centre = random.uniform(0.35, 0.65, 2) * (height, width)
    radius = random.uniform(20, 45, 2)
    inside = ((y - centre[0]) / radius[0]) ** 2 + ((x - centre[1]) / radius[1]) ** 2 < 1
    return np.where(inside, 0.08, strength)


def frame(tissue_seed: int, speckle_seed: int, **size: int) -> Grey:
    """A frame: speckle over tissue, log compressed. Another speckle seed is another frame of the same tissue."""
    strength = tissue(tissue_seed, **size)
    random = np.random.default_rng(10_000 + speckle_seed)
    field = random.normal(size=(2, *strength.shape)) * strength
    blurred = [cv2.GaussianBlur(part, (0, 0), sigmaX=2.0, sigmaY=1.1) for part in field]
    envelope = np.hypot(*blurred)
    return np.clip(255 * (1 + np.log10(envelope / envelope.max() + 1e-4) / 2), 0, 255).astype(np.uint8)


def crop(image: Grey) -> Grey:
    height, width = image.shape
    return image[height // 8 : height * 3 // 4, width // 5 : width * 9 // 10].copy()


def rescale(image: Grey, factor: float) -> Grey:
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=interpolation).astype(np.uint8)


def brighten(image: Grey) -> Grey:
    return np.clip(255 * (image / 255.0) ** 0.75 + 8, 0, 255).astype(np.uint8)


def jpeg(image: Grey, quality: int = 50) -> Grey:
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE).astype(np.uint8)


def annotate(image: Grey, text: str = "LEFT BREAST 2") -> Grey:
    """Calipers with their dotted lines, and a line of text."""
    marked = image.copy()
    height, width = marked.shape
    for x, y in ((0.3, 0.4), (0.7, 0.45), (0.5, 0.2), (0.48, 0.65)):
        centre = (round(x * width), round(y * height))
        cv2.drawMarker(marked, centre, 255, cv2.MARKER_CROSS, 12, 2)
    cv2.putText(marked, text, (10, height - 14), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
    return marked


def mirror(image: Grey) -> Grey:
    return np.ascontiguousarray(image[:, ::-1])


def memory_case(
    name: str,
    image: Grey | None = None,
    *,
    label: Label | None = "benign",
    patient: str | None = None,
    source: str = "made",
    files: tuple[Path, ...] = (),
    official_fold: int | None = None,
    mask_files: int = 1,
) -> Case:
    """A case whose image is in memory; without an image it can be split but not loaded."""

    def load() -> Sample:
        assert image is not None
        shape = (image.shape[0], image.shape[1])
        return Sample(f"{source}/{name}", source, image[None], Geometry(shape), label=label)

    return Case(
        f"{source}/{name}",
        source,
        load,
        files,
        patient_id=patient,
        label=label,
        has_mask=True,
        mask_files=mask_files,
        official_fold=official_fold,
    )


def write_folder_set(root: Path, images: dict[str, Grey], labels: dict[str, str], masks: dict[str, Grey]) -> Path:
    """A data set in `folder` layout."""
    for name, image in images.items():
        write_png(root / "images" / f"{name}.png", image)
    for name, mask in masks.items():
        write_png(root / "masks" / f"{name}.png", mask)
    rows = "".join(f"{name},{label}\n" for name, label in labels.items())
    (root / "labels.csv").write_text("case_id,label\n" + rows, encoding="utf-8")
    return root
