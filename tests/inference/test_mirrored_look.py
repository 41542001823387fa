"""When a second look is taken, what it is shown, and what of its outline means that an edge cuts a lesion."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.inference.mirrored_look import continued, is_cut_off, is_worth_it

FRAME = (slice(10, 110), slice(20, 220))
"""The picture, 100 x 200, in an image of 120 x 240."""


def mask_of(*boxes: tuple[slice, slice], size: tuple[int, int] = (120, 240)) -> np.ndarray:
    mask = np.zeros(size, bool)
    for box in boxes:
        mask[box] = True
    return mask


def outlined(*boxes: tuple[slice, slice]) -> np.ndarray:
    """On the continued picture: 40 rows more below, 80 columns more at each side."""
    return mask_of(*boxes, size=(140, 360))


@pytest.mark.parametrize(
    ("box", "worth"),
    [
        ((slice(40, 60), slice(100, 140)), False),
        ((slice(12, 60), slice(100, 140)), False),  # near the upper edge alone
        ((slice(40, 60), slice(45, 140)), True),
        ((slice(40, 60), slice(100, 200)), True),
        ((slice(40, 100), slice(100, 140)), True),
        ((slice(0, 0), slice(0, 0)), True),
    ],
)
def test_a_second_look_is_taken_near_the_edges_and_where_nothing_was_outlined(box, worth):
    assert is_worth_it(mask_of(box), frame=FRAME) is worth


def test_the_picture_without_its_margin_is_continued_as_its_mirror_image():
    image = np.random.default_rng(0).integers(0, 256, (3, 120, 240), dtype=np.uint8)
    shown = continued(image, frame=FRAME)
    seen = image[:, *FRAME]
    assert shown.shape == (3, 140, 360)
    assert np.array_equal(shown[:, :100, 80:280], seen)
    assert np.array_equal(shown[:, :100, :80], seen[:, :, 79::-1])
    assert np.array_equal(shown[:, :100, 280:], seen[:, :, :119:-1])
    assert np.array_equal(shown[:, 100:, 80:280], seen[:, :59:-1])


def test_a_large_picture_is_shown_small():
    assert continued(np.zeros((1, 2000, 4000), np.uint8), frame=(slice(0, 2000), slice(0, 4000))).shape == (
        1,
        224,
        576,
    )


LEFT = (slice(30, 60), slice(60, 100))
CORNER = (slice(80, 120), slice(60, 110))
INSIDE = (slice(20, 60), slice(150, 200))


@pytest.mark.parametrize(
    ("boxes", "first", "cut"),
    [
        ([LEFT], [], True),
        ([(slice(30, 60), slice(270, 300))], [], True),
        ([(slice(80, 120), slice(150, 200))], [], True),
        ([(slice(0, 30), slice(150, 200))], [], False),  # the upper edge
        ([INSIDE], [], False),
        ([LEFT, INSIDE], [], False),  # mostly inside
        ([CORNER], [], False),
        ([CORNER], [(slice(90, 105), slice(25, 40))], True),
        ([], [], False),
    ],
)
def test_what_crosses_an_edge_is_cut_off(boxes, first, cut):
    assert is_cut_off(outlined(*boxes), mask_of(*first), frame=FRAME) is cut


def test_the_first_outline_counts_in_a_large_picture_too():
    frame = (slice(0, 1000), slice(0, 2000))  # shown as 160 x 320, and continued to 224 x 576
    corner = mask_of((slice(130, 180), slice(100, 200)), size=(224, 576))
    assert not is_cut_off(corner, mask_of(size=(1000, 2000)), frame=frame)
    first = mask_of((slice(900, 980), slice(20, 200)), size=(1000, 2000))
    assert is_cut_off(corner, first, frame=frame)
