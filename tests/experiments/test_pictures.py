from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from bustle.experiments.pictures import read_picture


def test_a_photograph_that_lies_on_its_side_is_predicted_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96), np.uint8)
    Image.fromarray(np.sort(pixels, axis=0)).save(tmp_path / "a.jpg", exif=exif)
    picture = read_picture(tmp_path / "a.jpg", name="a")
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg")))
    np.testing.assert_array_equal(picture.image[0], upright)
    assert picture.geometry.original_size == (96, 64)
