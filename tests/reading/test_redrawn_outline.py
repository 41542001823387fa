"""A reader's closed lines become the pixels that they hold, whatever they look like."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.data.prepared.lesion_measures import measure_lesions
from bustle.reading.redrawn_outline import mask_of_outlines, outlines_digest

SIZE = (40, 60)


def test_the_contour_of_a_mask_holds_the_mask():
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    mask = ((rows - 18) / 12) ** 2 + ((columns - 30) / 21) ** 2 < 1
    mask |= (np.abs(rows - 18) < 2) & (columns > 40) & (columns < 58)
    (lesion,) = measure_lesions(mask, np.ones(SIZE, np.float32), spacing=None)
    outline = [(x, y) for y, x in lesion.contour]
    np.testing.assert_array_equal(mask_of_outlines([outline], size=SIZE), mask)


def test_lines_that_overlap_hold_all_of_both_and_what_lies_outside_is_cut():
    found = mask_of_outlines([[(2, 2), (12, 2), (12, 12), (2, 12)], [(8, 8), (70, 8), (70, 20), (8, 20)]], size=SIZE)
    expected = np.zeros(SIZE, bool)
    expected[2:13, 2:13] = True
    expected[8:21, 8:] = True
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("outline", "inside"),
    [
        ([(-20, 20), (20, -20), (20, 20)], lambda x, y: (x <= 20) & (y <= 20)),
        ([(-30, -30), (90, -30), (90, 90)], lambda x, y: x >= y),
        ([(-1e6, -1e6), (1e6, -1e6), (1e6, 1e6)], lambda x, y: x >= y),
        ([(-1e9, -5), (5, -5), (5, 1e9), (-1e9, 1e9)], lambda x, y: x <= 5),
        ([(70, 10), (80, 10), (80, 20), (70, 20)], lambda x, y: x < 0),
    ],
)
def test_an_outline_that_leaves_the_image_is_cut_and_not_bent(
    outline: list[tuple[float, float]], inside: Callable[[NDArray[np.int_], NDArray[np.int_]], NDArray[np.bool_]]
):
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    np.testing.assert_array_equal(mask_of_outlines([outline], size=SIZE), inside(columns, rows))


def test_what_is_left_of_an_outline_does_not_depend_on_where_the_image_ends():
    rng = np.random.default_rng(0)
    for corners in rng.uniform(-40, 80, (20, 6, 2)):
        found = mask_of_outlines([corners], size=SIZE)
        whole = mask_of_outlines([corners + 50], size=(150, 150))[50:90, 50:110]
        along = np.zeros((150, 150), np.uint8)
        cv2.polylines(along, [np.round(corners + 50).astype(np.int32)], isClosed=True, color=1, thickness=5)
        assert not ((found != whole) & (along[50:90, 50:110] == 0)).any()


@pytest.mark.parametrize("outlines", [[[(1, 1), (5, 5)]], [[(1, 1), (5, 5), (1, 5)]] * 51, [[(1, 1)] * 20_001]])
def test_what_is_no_outline_is_refused(outlines: list[list[tuple[float, float]]]):
    with pytest.raises(InputError):
        mask_of_outlines(outlines, size=SIZE)


def test_the_digest_tells_lines_apart():
    line = [(1.0, 2.0), (3.0, 4.0), (5.0, 0.0)]
    assert outlines_digest([line]) == outlines_digest([[(1, 2), (3, 4), (5, 0)]])
    assert outlines_digest([line]) != outlines_digest([line[::-1]])
