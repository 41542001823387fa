"""What a reader must know of a picture: told of what deserves it, silent on ordinary images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bustle.core.types import Lesion
from bustle.inference.picture_remarks import (
    COLOUR,
    CUT_OFF,
    FEW_PIXELS,
    INVERTED,
    SEEMS_CUT_OFF,
    TWO_FRAMES,
    picture_remarks,
)
from bustle.io.raster import read_image

EXAMPLES = sorted((Path(__file__).parents[2] / "src" / "bustle" / "webapp" / "demo" / "images").glob("*.png"))


def example(number: int) -> np.ndarray:
    return read_image(EXAMPLES[number])


def beside(left: np.ndarray, right: np.ndarray, *, gap: int) -> np.ndarray:
    height, width = left.shape[1:]
    other = np.asarray(cv2.resize(right[0], (width, height)))
    return np.concatenate([left[0], np.zeros((height, gap), np.uint8), other], axis=1)[None]


def lesion(top: int, left: int, bottom: int, right: int) -> Lesion:
    return Lesion(
        unit="px",
        area=1.0,
        long_axis=1.0,
        short_axis=1.0,
        probability=1.0,
        box=(top, left, bottom, right),
        contour=(),
    )


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_ordinary_image_has_none(number: int):
    assert picture_remarks(example(number), lesions=[lesion(60, 60, 90, 90)]) == ()


@pytest.mark.parametrize("gap", [0, 3, 20])
def test_two_frames_beside_each_other(gap: int):
    assert picture_remarks(beside(example(0), example(2), gap=gap)) == (TWO_FRAMES,)


def test_a_bright_line_is_no_second_frame():
    image = example(0).copy()
    image[:, :, 260:263] = 255
    assert picture_remarks(image) == ()


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_inverted_image(number: int):
    assert picture_remarks(255 - example(number)) == (INVERTED,)


def test_few_pixels():
    small = np.asarray(cv2.resize(example(0)[0], (32, 32), interpolation=cv2.INTER_AREA))[None]
    assert picture_remarks(small) == (FEW_PIXELS,)


def with_flow(image: np.ndarray, *, share: float) -> np.ndarray:
    """The red and blue of colour Doppler on so many pixels of a grey image, in blobs about its middle."""
    grey = image[0]
    speed = cv2.GaussianBlur(np.random.default_rng(0).normal(size=grey.shape), (0, 0), 8)
    middle = np.zeros(grey.shape, bool)
    middle[grey.shape[0] // 5 : -grey.shape[0] // 5, grey.shape[1] // 5 : -grey.shape[1] // 5] = True
    flows = middle & (np.abs(speed) > np.quantile(np.abs(speed) * middle, 1 - share))
    coloured = np.stack([grey] * 3)
    coloured[:, flows & (speed > 0)] = np.uint8([[230], [60], [30]])
    coloured[:, flows & (speed < 0)] = np.uint8([[30], [90], [230]])
    return coloured


@pytest.mark.parametrize("share", [0.005, 0.01, 0.05])
def test_colour_doppler(share: float):
    assert picture_remarks(with_flow(example(0), share=share)) == (COLOUR,)


def test_coloured_marks_and_a_tint_are_no_flow():
    marked = np.ascontiguousarray(np.stack([example(0)[0]] * 3).transpose(1, 2, 0))
    cv2.putText(marked, "RT UOQ", (20, 200), cv2.FONT_HERSHEY_SIMPLEX, 2.0, (255, 240, 0), 5)
    cv2.putText(marked, "+   +", (20, 100), cv2.FONT_HERSHEY_SIMPLEX, 2.0, (0, 255, 0), 5)
    assert picture_remarks(marked.transpose(2, 0, 1)) == ()
    tinted = np.stack([example(0)[0], np.uint8(example(0)[0] * 0.93), np.uint8(example(0)[0] * 0.87)])
    assert picture_remarks(tinted) == ()


def test_the_images_of_busi_that_show_flow(real_data: Path):
    folder = real_data / "busi" / "Dataset_BUSI_with_GT" / "benign"
    said = {each: COLOUR in picture_remarks(read_image(folder / f"benign ({each}).png")) for each in (240, 261, 6)}
    assert said == {240: True, 261: True, 6: False}  # the last one has an empty Doppler frame and yellow calipers


def test_a_lesion_at_the_edge_of_what_is_seen_is_cut_off():
    image = np.pad(example(0)[:, 20:300, 20:400], ((0, 0), (30, 30), (40, 40)))
    assert picture_remarks(image, lesions=[lesion(60, 60, 90, 90)]) == ()
    assert picture_remarks(image, lesions=[lesion(60, 60, 90, 90), lesion(100, 40, 130, 90)]) == (CUT_OFF,)
    assert picture_remarks(image, lesions=[lesion(280, 60, 310, 90)], seems_cut_off=True) == (CUT_OFF,)
    assert picture_remarks(image, lesions=[lesion(60, 60, 90, 90)], seems_cut_off=True) == (SEEMS_CUT_OFF,)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (8, 8)])
def test_any_size_and_any_values_are_looked_at(shape: tuple[int, int]):
    for value in (0, 127, 255):
        assert FEW_PIXELS in picture_remarks(np.full((3, *shape), value, np.uint8))
