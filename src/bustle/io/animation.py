"""Animated WebP files, which every browser shows; frames are encoded one by one as they come."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bustle.core.files import atomic_path

QUALITY = 75


def write_animation(path: Path, frames: Iterable[NDArray[np.uint8]], *, frame_ms: int) -> None:
    """Write frames RGB `H W 3` of one size, each shown for `frame_ms` milliseconds, for ever from the beginning.

    Raises `InputError` where the file cannot be written, and `ValueError` where there is no frame.
    """
    images: Iterator[Image.Image] = (Image.fromarray(frame) for frame in frames)
    first = next(images, None)
    if first is None:
        raise ValueError("an animation needs a frame")
    with atomic_path(path) as temporary:
        first.save(
            temporary,
            format="WEBP",
            save_all=True,
            append_images=itertools.chain(images),
            duration=frame_ms,
            loop=0,
            quality=QUALITY,
            method=0,
        )
