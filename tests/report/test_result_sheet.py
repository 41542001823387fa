"""The page of a study: repeatable, one page, whatever is written on it."""

from __future__ import annotations

import numpy as np

from bustle.report.result_sheet import SheetPicture, draw_result_sheet

PICTURE = SheetPicture(
    title="Image 1",
    pixels=np.full((1, 40, 60), 90, np.uint8),
    outline=np.eye(40, 60, dtype=bool),
    lines=("refer: malignant 0.50", "a $ and a \\ are no formula"),
)


def test_the_same_content_is_the_same_file():
    pages = [draw_result_sheet([PICTURE] * 5, left_out=2, model="M$", version="0") for _ in range(2)]
    assert pages[0] == pages[1]
    assert pages[0].startswith(b"%PDF-")
    assert b"/Count 1" in pages[0]


def test_a_study_without_pictures_has_a_page_too():
    assert draw_result_sheet([], left_out=0, model="M", version="0").startswith(b"%PDF-")
