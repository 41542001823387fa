"""The sheet of a study: repeatable, one page for several pictures, and all that is said of a single one."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

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


@pytest.mark.parametrize("size", [(40, 60), (60, 40)])
def test_what_does_not_fit_below_a_single_picture_goes_on_on_further_pages(size: tuple[int, int]):
    mpl = pytest.importorskip("matplotlib")
    numbered = [f"line {number} of a note" for number in range(200)]
    picture = replace(
        PICTURE,
        pixels=np.full((1, *size), 90, np.uint8),
        outline=np.zeros(size, bool),
        lines=("\n".join(numbered), "W" * 400),
    )
    with mpl.rc_context({"pdf.compression": 0}):
        page = draw_result_sheet([picture], left_out=0, model="M", version="0").replace(b"\0", b"")
    page = re.sub(rb"\)\s*-?[\d.]+\s*\(", b"", page)  # each letter is placed by itself
    assert [line for line in numbered if f"({line})".encode() not in page] == []
    assert page.count(b"W") >= 400
    assert b"/Count 5" in page
