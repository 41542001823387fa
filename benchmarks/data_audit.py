"""`bustle data audit` of 10,000 images in less than 10 minutes on two cores and 2 GB, without missing copies.

The images are generated: speckle over tissue under the same graphics, as a scanner draws them into all of its frames,
which is what made candidates of almost all pairs once. Every tenth is a copy of the one before it, cropped, smaller
and compressed. There is no peer: the ratio is the limit over the measured time, of wall and of processor time. The
recall is that of the candidates among the pairs that a comparison of all pairs of the first images finds.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks._process import measured, peak_bytes
from benchmarks._row import Ratio, Row
from bustle.data.audit.audit import audit
from bustle.data.case_pass import each
from bustle.data.relations.frame_candidates import candidate_pairs
from bustle.data.relations.frame_features import frame_features
from bustle.data.relations.frame_match import match_frames
from bustle.data.sources import open_sources
from bustle.io.raster import write_png

LIMIT, LIMIT_BYTES = 600.0, 2 * 10**9
COPY_OF_EVERY = 10


@dataclass(frozen=True)
class Size:
    """Of the `images`, all pairs of the first `compared` are compared."""

    images: int
    compared: int
    shape: tuple[int, int]


FULL = Size(images=10_000, compared=120, shape=(360, 480))
TINY = Size(images=20, compared=20, shape=(180, 240))


def run(size: Size) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "images"
        folder.mkdir()
        list(
            each(range(size.images), lambda index: _write(folder, index, size.shape), description="drawing", unit="")
        )
        spent = measured(audited, own_process=True, folder=name)
    found = recall(size)
    goal = f"audit of {size.images} images, {size.images // COPY_OF_EVERY} of them copies"
    seconds = [
        Row(
            goal=f"{goal}, {LIMIT:g} s of {kind} time ({spent[kind]:.1f} s measured)",
            peer="the limit",
            ratio=Ratio.over([LIMIT / spent[kind]]),
            recall=found,
        )
        for kind in ("wall", "processor")
    ]
    memory = Row(
        goal=f"{goal}, memory",
        peer="the limit",
        ratio=Ratio.over([LIMIT_BYTES / spent["bytes"]]),
        bytes={"bustle": spent["bytes"], "limit": LIMIT_BYTES},
    )
    return [*seconds, memory]


def audited(*, folder: str) -> dict[str, float]:
    """Seconds and peak memory of an audit, all of whose copies must be found."""
    wall, processor = time.perf_counter(), time.process_time()
    found = audit(open_sources([f"folder:{folder}"]))
    spent = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor, "bytes": peak_bytes()}
    expected = sum(1 for index in range(len(found.cases)) if _is_copy(index))
    hit = sum(len(group) == 2 for group in found.duplicate_groups)
    assert hit >= 0.99 * expected, f"{hit} of {expected} copies were found"
    return spent


def recall(size: Size) -> float:
    """The share of the candidates among all pairs that match; at least one pair does."""
    frames = [frame_features(frame(index, size.shape)[None]) for index in range(size.compared)]
    chosen = {(first, second) for first, second, mirror in candidate_pairs(frames) if not mirror}
    pairs = list(itertools.combinations(range(len(frames)), 2))
    matches = each(
        pairs, lambda pair: match_frames(*(frames[index] for index in pair)), description="all pairs", unit="pair"
    )
    related = {pair for pair, match in zip(pairs, matches, strict=True) if match is not None and match.is_same_scene}
    return len(related & chosen) / len(related)


def frame(index: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture of this number, grey `H W`."""
    if _is_copy(index):
        original = frame(index - 1, shape)
        height, width = shape
        part = original[height // 10 : height * 9 // 10, width // 10 : width * 9 // 10]
        smaller = cv2.resize(part, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
        encoded = cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)
    random = np.random.default_rng(index)
    coarse = random.normal(size=(9, 12)).astype(np.float32)
    tissue = 1 + 0.5 * cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    field = random.normal(size=(2, *shape)).astype(np.float32) * np.abs(tissue)
    envelope = np.hypot(*(cv2.GaussianBlur(part, (0, 0), sigmaX=2.5, sigmaY=1.3) for part in field))
    picture = np.clip(255 * (1 + np.log10(envelope / envelope.max() + 1e-4) / 2), 0, 255).astype(np.uint8)
    return np.maximum(picture, _graphics(shape))


def _is_copy(index: int) -> bool:
    return index % COPY_OF_EVERY == COPY_OF_EVERY - 1


def _graphics(shape: tuple[int, int]) -> NDArray[np.uint8]:
    """What lies over every frame: grey rings of different sizes along two sides, which corners are found in."""
    drawn = np.zeros(shape, np.uint8)
    for number in range(24):
        place = (20 + number * (shape[1] - 40) // 24, 20) if number % 2 else (20, 20 + number * (shape[0] - 40) // 24)
        cv2.circle(drawn, place, 3 + number % 5, 90 + 5 * number, 2)
    return drawn


def _write(folder: Path, index: int, shape: tuple[int, int]) -> None:
    write_png(folder / f"frame{index:05d}.png", frame(index, shape))
