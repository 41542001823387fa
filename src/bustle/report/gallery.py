"""The pictures of a report: which cases are worth looking at, and their contours drawn on the image."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.drawing.outlines import PREDICTED, TRUTH, as_canvas, as_jpeg, draw_outline
from bustle.evaluation.case_table import CaseRow

WORST, FALSE_POSITIVE, CLASS_ERROR = "Worst outlines", "Lesions drawn on normals", "Most certain class errors"
WIDTH = 360
MAP_WIDTH = 240
JPEG_QUALITY = 82


@dataclass(frozen=True)
class ShownImage:
    """One image to show: its row of `cases.csv`, image uint8 `C H W`, masks bool `H W` or None.

    `maps` are what the network draws on its way: by their titles the addresses of small pictures (`as_jpeg_uri`),
    because there may be many.
    """

    unit: ClassVar = "px"
    wide: ClassVar = False

    row: CaseRow
    image: NDArray[np.uint8]
    truth: NDArray[np.bool_] | None
    prediction: NDArray[np.bool_] | None
    maps: Mapping[str, str] = field(default_factory=dict)

    def drawn(self, *, width: int = WIDTH) -> list[NDArray[np.uint8]]:
        """The image at `width` pixels, `H W 3` RGB, with the true contour and the predicted one over it."""
        canvas = as_canvas(self.image, width=width)
        size = (canvas.shape[1], canvas.shape[0])
        for mask, colour in ((self.truth, TRUTH), (self.prediction, PREDICTED)):
            if mask is not None:
                scaled = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
                draw_outline(canvas, np.asarray(scaled, bool), colour=colour, thickness=2)
        return [canvas]


@dataclass(frozen=True)
class ShownVolume:
    """One volume to show: its row of `cases.csv`, and RGB `3 H W` its cuts and its surfaces, None without any.

    `maps` as of an image, each picture with three cuts.
    """

    unit: ClassVar = "voxels"
    wide: ClassVar = True

    row: CaseRow
    cuts: NDArray[np.uint8]
    surface: NDArray[np.uint8] | None
    maps: Mapping[str, str] = field(default_factory=dict)

    def drawn(self) -> list[NDArray[np.uint8]]:
        """Cuts and surfaces, `H W 3` RGB."""
        return [picture.transpose(1, 2, 0) for picture in (self.cuts, self.surface) if picture is not None]


ShownCase = ShownImage | ShownVolume


def gallery_choice(rows: Sequence[CaseRow], *, classes: Sequence[str], each: int = 12) -> dict[str, list[CaseRow]]:
    """The cases to show, by section: lowest Dice, most pixels drawn on normals, most certain wrong decisions."""
    outlined = [row for row in rows if row.dice is not None and not row.truth_empty]
    drawn = [row for row in rows if row.truth_empty and row.false_positive_area]
    mistaken = [row for row in rows if row.label in classes and row.decision not in (None, row.label)]
    sections = {
        WORST: sorted(outlined, key=lambda row: (row.dice, row.case_id)),
        FALSE_POSITIVE: sorted(drawn, key=lambda row: (-(row.false_positive_area or 0), row.case_id)),
        CLASS_ERROR: sorted(mistaken, key=lambda row: (-_certainty(row), row.case_id)),
    }
    return {section: chosen[:each] for section, chosen in sections.items() if chosen}


def _certainty(row: CaseRow) -> float:
    return row.probability(row.decision) or 0.0


def narrowed(picture: NDArray[np.uint8], *, width: int = WIDTH) -> NDArray[np.uint8]:
    """A picture `3 h w` as `H W 3` of this width; cuts of a volume, three panels side by side, keep theirs."""
    return as_canvas(picture, width=None if picture.shape[2] > 2 * picture.shape[1] else width)


def as_jpeg_uri(canvas: NDArray[np.uint8]) -> str:
    """A `data:` address that holds the picture `H W 3` itself."""
    return "data:image/jpeg;base64," + base64.b64encode(as_jpeg(canvas, quality=JPEG_QUALITY)).decode("ascii")
