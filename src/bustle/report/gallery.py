"""The pictures of a report: which cases are worth looking at, and their contours drawn on the image."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.drawing.outlines import PREDICTED, TRUTH, as_canvas, as_jpeg, draw_outline
from bustle.evaluation.case_table import CaseRow
from bustle.report.case_traits import CLASS_ERROR, CONTRADICTION, DRAWN_ON_NORMAL, MISSED, traits_of

WORST, MEDIAN, BEST = "Worst outlines", "Median outlines", "Best outlines"
MISSED_LESIONS, FALSE_POSITIVES = "Lesions missed", "Lesions drawn on normals"
CLASS_ERRORS, CONTRADICTIONS = "Most certain class errors", "Class and outline disagree"
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


def gallery_choice(rows: Sequence[CaseRow], *, classes: Sequence[str], each: int = 8) -> dict[str, list[CaseRow]]:
    """The cases to show, by section, at most `each` of one; sections without a case are left out.

    By Dice the lowest above 0, those about the median and the highest; lesions that were missed, the largest first;
    most pixels drawn on normals; the most certain wrong decisions and contradictions.
    """
    traits = {row.case_id: traits_of(row, classes=classes) for row in rows}

    def having(trait: str, key: Callable[[CaseRow], float]) -> list[CaseRow]:
        return sorted((row for row in rows if trait in traits[row.case_id]), key=lambda row: (key(row), row.case_id))

    overlapping = [row for row in rows if row.dice and not row.truth_empty]
    by_dice = sorted(overlapping, key=lambda row: (row.dice, row.case_id))
    middle = max(0, (len(by_dice) - each) // 2)
    sections = {
        WORST: by_dice,
        MEDIAN: by_dice[middle:] if len(by_dice) > 2 * each else [],
        BEST: by_dice[::-1] if len(by_dice) > each else [],
        MISSED_LESIONS: having(MISSED, lambda row: -(row.area or 0)),
        FALSE_POSITIVES: having(DRAWN_ON_NORMAL, lambda row: -(row.false_positive_area or 0)),
        CLASS_ERRORS: having(CLASS_ERROR, lambda row: -_certainty(row)),
        CONTRADICTIONS: having(CONTRADICTION, lambda row: -_certainty(row)),
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
