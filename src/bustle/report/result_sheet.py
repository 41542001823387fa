"""A study's results on A4 (PDF), mostly one page: pictures with their outlines, answers and sizes."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bustle.drawing.outlines import PREDICTED
from bustle.report.disclaimer import DISCLAIMER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

A4 = (8.27, 11.69)
"""Inches."""

COLUMNS = 2
LEFT, RIGHT, BOTTOM, TOP = 0.08, 0.95, 0.08, 0.9
LOWEST_EDGE = 0.3
"""Shares of the page: where pictures and text stand, and how far down a picture alone reaches."""

LETTERS, LETTER_WIDTH, SPACING = 9, 0.602, 1.2
"""Of the text below a single picture: points, the width of a letter in them (DejaVu Sans Mono), lines."""

LINE = 1.164 * SPACING * LETTERS / 72 / A4[1]
"""The height of a line, as a share of the page; that font's lines are 1.164 of its size."""


@dataclass(frozen=True, kw_only=True)
class SheetPicture:
    """A picture uint8 `C H W` with its outlines bool `H W`, and what is said below it, line by line."""

    title: str
    pixels: NDArray[np.uint8]
    outline: NDArray[np.bool_]
    lines: tuple[str, ...]


def draw_result_sheet(pictures: Sequence[SheetPicture], *, left_out: int, model: str, version: str) -> bytes:
    """The bytes of a PDF file, the same for the same content; its text can be searched.

    What is said of a single picture and does not fit below it, as a long note and its addenda, goes on on further
    pages. `left_out` is the number of images for which there was no room.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_pdf import PdfPages

    foot = f"Model: {model}, version {version}."
    if len(pictures) > 1:
        foot = "Lesions are numbered picture by picture: some may be the same. " + foot
    if left_out:
        foot = f"{left_out} more images are told of in the structured report alone. " + foot
    made = io.BytesIO()
    with (
        mpl.rc_context({"pdf.fonttype": 42}),
        PdfPages(made, metadata={"CreationDate": None, "Title": "AI results, research"}) as pages,
    ):
        if len(pictures) == 1:
            for figure in _one_picture(pictures[0], foot):
                pages.savefig(figure)
        else:
            pages.savefig(_grid(pictures, foot))
    return made.getvalue()


def _page(foot: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=A4)
    figure.text(LEFT, 0.955, "AI results of a breast ultrasound study", fontsize=15, weight="bold")
    figure.text(LEFT, 0.935, DISCLAIMER, fontsize=9)
    figure.text(LEFT, 0.05, foot, fontsize=8, parse_math=False)
    return figure


def _one_picture(picture: SheetPicture, foot: str) -> Iterator[Figure]:
    height, width = picture.outline.shape
    across, down = (RIGHT - LEFT) * A4[0], (TOP - LOWEST_EDGE) * A4[1]
    bottom = TOP - min(across * height / width, down) / A4[1] - 2 * LINE
    lines = [line for told in picture.lines for line in _wrapped(told)]
    figure = _page(foot)
    _draw(picture, figure.add_axes((LEFT, LOWEST_EDGE, RIGHT - LEFT, TOP - LOWEST_EDGE)))
    while True:
        room = int((bottom - BOTTOM) / LINE)
        text = "\n".join(lines[:room])
        figure.text(
            LEFT, bottom, text, fontsize=LETTERS, family="monospace", linespacing=SPACING, va="top", parse_math=False
        )
        yield figure
        lines, bottom = lines[room:], TOP
        if not lines:
            return
        figure = _page(foot)
        figure.text(LEFT, TOP + LINE / 2, picture.title, fontsize=9, parse_math=False)


def _wrapped(told: str) -> list[str]:
    """As lines that are not wider than the page: all letters have the same width."""
    letters = int((RIGHT - LEFT) * A4[0] * 72 / (LETTER_WIDTH * LETTERS))
    return [line for part in told.splitlines() for line in textwrap.wrap(part, letters) or [""]]


def _grid(pictures: Sequence[SheetPicture], foot: str) -> Figure:
    figure = _page(foot)
    rows = max(1, -(-len(pictures) // COLUMNS))
    grid = figure.add_gridspec(
        rows,
        COLUMNS,
        left=LEFT,
        right=RIGHT,
        top=TOP,
        bottom=0.12 if rows > 1 else LOWEST_EDGE,
        hspace=0.55,
        wspace=0.12,
    )
    for place, picture in enumerate(pictures):
        axes = figure.add_subplot(grid[place // COLUMNS, place % COLUMNS])
        _draw(picture, axes)
        text = "\n".join(picture.lines)
        axes.text(0, -0.04, text, fontsize=7.5, va="top", transform=axes.transAxes, wrap=True, parse_math=False)
    return figure


def _draw(picture: SheetPicture, axes: Axes) -> None:
    axes.imshow(_with_outline(picture), interpolation="nearest")
    axes.set_axis_off()
    axes.set_anchor("NW")
    axes.set_title(picture.title, fontsize=9, loc="left", parse_math=False)


def _with_outline(picture: SheetPicture) -> NDArray[np.uint8]:
    canvas = np.array(np.broadcast_to(picture.pixels, (3, *picture.outline.shape)).transpose(1, 2, 0))
    canvas[picture.outline] = PREDICTED
    return canvas
