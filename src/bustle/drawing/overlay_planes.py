"""Marks over a picture as planes of single bits, which a viewer can show or not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bustle.drawing.outlines import draw_outline
from bustle.drawing.overlay import DASH, line_width, write_caption

WHITE = (255, 255, 255)


def outline_plane(mask: NDArray[np.bool_], *, suspected: bool) -> NDArray[np.bool_]:
    """The border of a mask `H W`, as wide as `draw_overlay` has it; dashed where a lesion is only suspected."""
    canvas = np.zeros((*mask.shape, 3), np.uint8)
    thickness = line_width(mask.shape)
    draw_outline(
        canvas, mask, colour=WHITE, thickness=thickness, smooth=False, dash=DASH * thickness if suspected else None
    )
    return canvas[..., 0] > 0


def caption_plane(mask: NDArray[np.bool_], texts: tuple[str, ...]) -> NDArray[np.bool_]:
    """The fullest of `texts` that fits, in the corner that hides the least of a mask `H W`."""
    canvas = np.zeros((*mask.shape, 3), np.uint8)
    write_caption(canvas, texts, avoid=mask)
    return canvas[..., 0] > 127
