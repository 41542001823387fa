"""Small data sets on disk, written with Pillow so that the readers are checked against another library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIZE = (40, 50)


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """`put("a/b.png")` writes a grey image, `put("a/b.png", array)` an array, below the test's folder."""

    def write(name: str, array: np.ndarray | None = None, *, size: tuple[int, int] = SIZE) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if array is None:
            array = np.random.default_rng(len(name)).integers(0, 256, size, dtype=np.uint8)
        Image.fromarray(array).save(path)
        return path

    return write


@pytest.fixture
def block() -> Callable[..., np.ndarray]:
    """`block(2, 5, 3, 9)` is a mask of 0 and 255 with rows 2..4 and columns 3..8 set."""

    def make(top: int, bottom: int, left: int, right: int, *, value: int = 255, size=SIZE) -> np.ndarray:
        mask = np.zeros(size, np.uint8)
        mask[top:bottom, left:right] = value
        return mask

    return make
