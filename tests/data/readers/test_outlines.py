from __future__ import annotations

import numpy as np
import pytest

from bustle.data.readers._outlines import decode_runs, mask_from_polygons, mask_from_segmentation


def runs_of(mask: np.ndarray) -> list[int]:
    """Column-wise run lengths, background first, counted pixel by pixel."""
    runs, value = [0], False
    for pixel in mask.T.ravel():
        if bool(pixel) != value:
            runs.append(0)
            value = not value
        runs[-1] += 1
    return runs


def compress(runs: list[int]) -> str:
    """The compressed form as the COCO format defines it, written down bit by bit."""
    text = ""
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        while True:
            bits, value = value & 0b11111, value >> 5
            finished = value == (-1 if bits & 0b10000 else 0)
            text += chr(48 + bits + (0 if finished else 0b100000))
            if finished:
                break
    return text


@pytest.fixture(params=range(6))
def mask(request: pytest.FixtureRequest) -> np.ndarray:
    rng = np.random.default_rng(request.param)
    coarse = rng.random((1 + request.param, 3 + request.param)) > 0.5
    return np.kron(coarse, np.ones((7, 5))).astype(bool)


def test_both_run_length_forms(mask: np.ndarray):
    runs = runs_of(mask)
    for counts in (runs, compress(runs)):
        segmentation = {"size": list(mask.shape), "counts": counts}
        np.testing.assert_array_equal(mask_from_segmentation(segmentation, size=mask.shape), mask)


@pytest.mark.parametrize(
    ("text", "runs"), [("T3", [100]), ("0T3", [0, 100]), ("52203", [5, 2, 2, 2, 5]), ("", []), ("0X`0", [0, 520])]
)
def test_compressed_codes_worked_out_by_hand(text: str, runs: list[int]):
    # "T3": 'T' is 36 = 32 (more follows) + 4, '3' is 3: 4 + 3 * 32 = 100. The last two of "52203" are differences.
    # "X`0": 'X' is 40 = 32 + 8, '`' is 48 = 32 + 16, and the final '0' keeps the sign positive: 8 + 16 * 32 = 520.
    assert decode_runs(text) == runs


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [10, 10], "counts": [50, 40]},
        {"size": [10, 11], "counts": [110]},
        {"size": [10, 10], "counts": [110, -10]},
        {"size": [10, 10], "counts": "T"},
        {"size": [10, 10], "counts": "T3\u00e4"},
        {"size": [10, 10], "counts": "T3!"},
        [[1, 1, 5, 5]],
        [[1, 1, 5, 5, 3]],
        [[1, 1, 5, float("nan"), 3, 4]],
    ],
)
def test_malformed_segmentations(segmentation):
    with pytest.raises(ValueError, match=r".+"):
        mask_from_segmentation(segmentation, size=(10, 10))


def test_polygon_covers_the_pixels_whose_centres_it_holds():
    mask = mask_from_polygons([[3, 2, 13, 2, 13, 8, 3, 8]], size=(20, 30))
    expected = np.zeros((20, 30), bool)
    expected[2:8, 3:13] = True
    np.testing.assert_array_equal(mask, expected)


def test_polygon_area_and_clipping():
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([60 + 25.3 * np.cos(angle), 50 + 25.3 * np.sin(angle)], axis=1).ravel()
    mask = mask_from_polygons([circle], size=(100, 120))
    y, x = np.mgrid[:100, :120] + 0.5
    assert (mask != (np.hypot(y - 50, x - 60) < 25.3)).sum() <= 16
    clipped = mask_from_polygons([circle - 60], size=(20, 20))
    assert clipped[0, 0]
    assert clipped.shape == (20, 20)


def test_several_polygons_are_one_lesion_even_where_they_overlap():
    mask = mask_from_polygons([[0, 0, 6, 0, 6, 6, 0, 6], [3, 3, 9, 3, 9, 9, 3, 9]], size=(12, 12))
    assert mask.sum() == 36 + 36 - 9


@pytest.mark.parametrize("step", [None, 1.0, 0.5])
def test_polygons_are_filled_as_scikit_image_fills_them(step: float | None):
    """Of any form, also self-crossing and partly outside; with whole steps many centres lie on an edge or corner."""
    from skimage.draw import polygon

    random = np.random.default_rng(0)
    for corners in range(3, 60):
        x, y = random.uniform(-6, 40, (2, corners))
        if step is not None:
            x, y = np.round(x / step) * step, np.round(y / step) * step
        expected = np.zeros((30, 34), bool)
        expected[polygon(y - 0.5, x - 0.5, shape=expected.shape)] = True
        mask = mask_from_polygons([np.stack([x, y], axis=1).ravel()], size=(30, 34))
        np.testing.assert_array_equal(mask, expected)
