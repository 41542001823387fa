"""A reader's closed lines become the pixels that they hold, whatever they look like."""

from __future__ import annotations

import numpy as np
import pytest

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


@pytest.mark.parametrize("outlines", [[[(1, 1), (5, 5)]], [[(1, 1), (5, 5), (1, 5)]] * 51, [[(1, 1)] * 20_001]])
def test_what_is_no_outline_is_refused(outlines: list[list[tuple[float, float]]]):
    with pytest.raises(InputError):
        mask_of_outlines(outlines, size=SIZE)


def test_the_digest_tells_lines_apart():
    line = [(1.0, 2.0), (3.0, 4.0), (5.0, 0.0)]
    assert outlines_digest([line]) == outlines_digest([[(1, 2), (3, 4), (5, 0)]])
    assert outlines_digest([line]) != outlines_digest([line[::-1]])
