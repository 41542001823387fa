"""Fields over the grid that intensity steps paint or multiply: functions of a seed, equal in all executors."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator, Philox
from numpy.typing import NDArray

TEXT = "ABCDEFGHKLMPRSTUX0123456789"


def speckle_field(size: tuple[int, int], *, grain: float, seed: int) -> NDArray[np.float32]:
    """Noise `h w` of mean 0 and deviation 1 whose grains are a Gaussian of `grain` pixels."""
    noise = _random(seed).standard_normal(size, dtype=np.float32)
    grains = np.asarray(cv2.GaussianBlur(noise, (0, 0), grain), np.float32)
    return (grains - grains.mean()) / max(float(grains.std()), 1e-6)


def blur_kernel(sigma: float) -> int:
    """The odd number of pixels that holds a Gaussian of `sigma` pixels to three deviations."""
    return 2 * math.ceil(3 * sigma) + 1


def depth_gain(height: int, *, stops: float) -> NDArray[np.float32]:
    """The factor of every row `h`: 2^-stops at the top, 1 in the middle, 2^stops at the bottom."""
    return np.exp2(stops * np.linspace(-1, 1, height)).astype(np.float32)


def marks_field(size: tuple[int, int], *, count: int, grey: int, seed: int) -> NDArray[np.uint8]:
    """What a reader burns into a picture, `h w` of grey values, 0 where nothing is painted.

    `count` calipers (crosses, in pairs joined by a dotted line or alone) anywhere, and a few letters near the rim.
    """
    random = _random(seed)
    height, width = size
    field = np.zeros(size, np.uint8)
    arm = max(2, round(min(size) * (0.01 + 0.012 * random.random())))
    last: tuple[int, int] | None = None
    for _ in range(count):
        x, y = (int(edge * (0.1 + 0.8 * random.random())) for edge in (width, height))
        cv2.line(field, (x - arm, y), (x + arm, y), grey)
        cv2.line(field, (x, y - arm), (x, y + arm), grey)
        if last is not None and random.random() < 0.5:
            _dotted(field, last, (x, y), grey)
        last = None if last is not None else (x, y)
    for _ in range(int(random.integers(0, 3))):
        letters = "".join(TEXT[int(k)] for k in random.integers(0, len(TEXT), size=int(random.integers(2, 8))))
        top = random.random() < 0.5
        y = int(height * (0.03 + 0.1 * random.random())) + 6 if top else int(height * (0.88 + 0.1 * random.random()))
        x = int(width * 0.75 * random.random())
        cv2.putText(field, letters, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.2 + 0.2 * random.random(), grey)
    return field


def _dotted(field: NDArray[np.uint8], start: tuple[int, int], end: tuple[int, int], grey: int) -> None:
    steps = max(2, int(math.dist(start, end) / 4))
    for part in np.linspace(0, 1, steps):
        x, y = (round(a + (b - a) * part) for a, b in zip(start, end, strict=True))
        field[y, x] = grey


def _random(seed: int) -> Generator:
    return Generator(Philox(key=seed))
