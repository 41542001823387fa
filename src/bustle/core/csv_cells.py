"""Texts in CSV files that people open in a spreadsheet, which takes a cell that begins with `=` for a formula."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def cell_of_text(text: str) -> str:
    """`text` with an apostrophe before it where a spreadsheet would calculate it; `text_of_cell` takes it away."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def text_of_cell(cell: str) -> str:
    """The text that `cell_of_text` made this cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
