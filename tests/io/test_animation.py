from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bustle.io.animation import write_animation


def test_frames_come_out_in_order_with_their_time(tmp_path: Path):
    levels = [20, 90, 160, 230]
    frames = (np.full((40, 60, 3), level, np.uint8) for level in levels)
    write_animation(tmp_path / "a.webp", frames, frame_ms=80)
    film = Image.open(tmp_path / "a.webp")
    assert (film.n_frames, film.size, film.info["loop"]) == (4, (60, 40), 0)
    for place, level in enumerate(levels):
        film.seek(place)
        film.load()
        assert film.info["duration"] == 80
        assert np.abs(np.asarray(film.convert("RGB")).astype(int) - level).max() <= 4


def test_nothing_is_no_film(tmp_path: Path):
    with pytest.raises(ValueError, match="needs a frame"):
        write_animation(tmp_path / "a.webp", [], frame_ms=80)
    assert not list(tmp_path.iterdir())
