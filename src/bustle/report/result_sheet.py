"""One page (A4, PDF) of a study's results: pictures with their outlines, answers and sizes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.drawing.outlines import PREDICTED
from bustle.report.disclaimer import DISCLAIMER

A4 = (8.27, 11.69)
"""Inches."""

COLUMNS = 2


@dataclass(frozen=True, kw_only=True)
class SheetPicture:
    """A picture uint8 `C H W` with its outlines bool `H W`, and what is said below it, line by line."""

    title: str
    pixels: NDArray[np.uint8]
    outline: NDArray[np.bool_]
    lines: tuple[str, ...]


def draw_result_sheet(pictures: Sequence[SheetPicture], *, left_out: int, model: str, version: str) -> bytes:
    """The page as the bytes of a PDF file, the same for the same content; its text can be searched.

    `left_out` is the number of images for which there was no room.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    with mpl.rc_context({"pdf.fonttype": 42}):
        figure = Figure(figsize=A4)
        figure.text(0.08, 0.955, "AI results of a breast ultrasound study", fontsize=15, weight="bold")
        figure.text(0.08, 0.935, DISCLAIMER, fontsize=9)
        columns = min(COLUMNS, max(1, len(pictures)))
        rows = max(1, -(-len(pictures) // columns))
        grid = figure.add_gridspec(
            rows, columns, left=0.08, right=0.95, top=0.9, bottom=0.12 if rows > 1 else 0.3, hspace=0.55, wspace=0.12
        )
        for place, picture in enumerate(pictures):
            axes = figure.add_subplot(grid[place // columns, place % columns])
            axes.imshow(_with_outline(picture), interpolation="nearest")
            axes.set_axis_off()
            axes.set_anchor("NW")
            axes.set_title(picture.title, fontsize=9, loc="left")
            text = "\n".join(picture.lines)
            size = 10 if len(pictures) == 1 else 7.5
            axes.text(0, -0.04, text, fontsize=size, va="top", transform=axes.transAxes, wrap=True, parse_math=False)
        foot = f"Model: {model}, version {version}."
        if len(pictures) > 1:
            foot = "Lesions are numbered picture by picture: some may be the same. " + foot
        if left_out:
            foot = f"{left_out} more images are told of in the structured report alone. " + foot
        figure.text(0.08, 0.05, foot, fontsize=8, parse_math=False)
        page = io.BytesIO()
        FigureCanvasPdf(figure).print_pdf(page, metadata={"CreationDate": None, "Title": "AI results, research"})
    return page.getvalue()


def _with_outline(picture: SheetPicture) -> NDArray[np.uint8]:
    canvas = np.array(np.broadcast_to(picture.pixels, (3, *picture.outline.shape)).transpose(1, 2, 0))
    canvas[picture.outline] = PREDICTED
    return canvas
