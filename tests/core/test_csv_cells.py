from __future__ import annotations

import pytest

from bustle.core.csv_cells import cell_of_text, text_of_cell


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd", "-x", "@SUM(A1)", "\tx", "\r=1", "'=1", "''-x", "=HYPERLINK(0)", "-"]
)
def test_what_a_spreadsheet_would_calculate_gets_an_apostrophe(text: str):
    assert cell_of_text(text) == f"'{text}"
    assert text_of_cell(cell_of_text(text)) == text


@pytest.mark.parametrize("text", ["", "a=b", "folder/x", "-7", "+1.5e-3", "-.5", "'quoted", "7"])
def test_other_texts_and_numbers_stay(text: str):
    assert cell_of_text(text) == text
    assert text_of_cell(text) == text
