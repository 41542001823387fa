"""Small videos whose frames show their own number, for tests of what reads videos."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 96, 128
_BITS, _CELL = 8, 16


def picture(number: int, *, colour: bool = False) -> NDArray[np.uint8]:
    """BGR `H W 3`: the number as a row of light and dark fields, over a grey ramp."""
    image = np.repeat(np.linspace(20, 90, HEIGHT, dtype=np.uint8)[:, None], WIDTH, axis=1)
    for bit in range(_BITS):
        image[24:56, bit * _CELL : (bit + 1) * _CELL] = 230 if number >> bit & 1 else 30
    bgr = np.repeat(image[..., None], 3, axis=2)
    if colour:
        bgr[70:90, 10:60] = (10, 20, 220)
    return bgr


def number_in(image: NDArray[np.uint8]) -> int:
    """The number that a decoded frame `C H W` shows."""
    fields = image.mean(axis=0)[40, _CELL // 2 :: _CELL]
    return sum(int(value > 128) << bit for bit, value in enumerate(fields))


def write_video(path: Path, *, frames: int, codec: str = "MJPG", colour: bool = False, first: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 20.0, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for number in range(first, first + frames):
        writer.write(picture(number, colour=colour))
    writer.release()
    return path


def cut(path: Path, *, part: float) -> Path:
    """Leave only the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: round(len(content) * part)])
    return path
