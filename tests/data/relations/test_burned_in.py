from __future__ import annotations

import numpy as np
from tests.data import speckle_frames as made

from bustle.data.relations.burned_in import burned_in_marks, colour_overlay


def test_text_and_calipers_are_marked_and_speckle_is_not() -> None:
    plain = made.frame(1, 1, height=400, width=500)
    assert burned_in_marks(plain).sum() < 40
    drawn = made.annotate(plain)
    marks = burned_in_marks(drawn)
    assert marks[370:, 10:220].sum() > 100  # the text
    assert marks[150:170, 140:160].any()  # a caliper at (0.3, 0.4)
    assert marks[drawn == plain].sum() < 40


def test_a_bright_interface_is_no_mark() -> None:
    image = made.frame(1, 1)
    image[100:103, 40:280] = 255
    assert burned_in_marks(image).sum() < 40


def test_colour_is_an_overlay_and_a_tint_is_not() -> None:
    grey = made.frame(1, 1).astype(float)
    tinted = np.clip(np.stack([grey, grey * 0.85, grey * 0.6]), 0, 255).astype(np.uint8)
    assert colour_overlay(tinted[:1]) is None
    overlay = colour_overlay(tinted)
    assert overlay is not None
    assert not overlay.any()
    tinted[:, 50:60, 50:60] = np.array([255, 30, 30])[:, None, None]
    overlay = colour_overlay(tinted)
    assert overlay is not None
    assert overlay.sum() == 100
    assert overlay[50:60, 50:60].all()
