"""What an audit looks at in one case, and the small picture that shows it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Label, Sample
from bustle.data.audit.marks import marks_in
from bustle.data.blank_pictures import nothing_in
from bustle.data.relations.burned_in import colour_overlay
from bustle.data.relations.frame_features import to_grey
from bustle.data.relations.volume_slices import shown_slice
from bustle.drawing.outlines import as_canvas, as_jpeg, draw_outline

PICTURE_WIDTH = 220
_MIN_COLOUR_PIXELS = 30
_MIN_COMPONENT = 20
_LESION_COLOUR = (60, 230, 90)
_MARK_COLOUR = (255, 70, 200)


@dataclass(frozen=True)
class CaseFacts:
    """Facts from the pixels of one case.

    `size` is (height, width); `marks` and `coloured` say whether text or calipers, and colour, are burned in
    (the orientation mark in a corner does not count); `lesions` is the number of outlined lesions, None without
    annotation; `grey_mask` whether a mask's grey values had to be cut; `lesion_area` the lesions' pixels; `at_border`
    whether one touches the picture's edge; `nothing` says why it cannot be ultrasound, None where it may be;
    `picture` is a JPEG.
    """

    size: tuple[int, int]
    label: Label | None
    marks: bool
    coloured: bool
    lesions: int | None
    grey_mask: bool
    lesion_area: int
    at_border: bool
    nothing: str | None
    picture: bytes


def case_facts(sample: Sample, *, grey_mask: bool = False) -> CaseFacts:
    """Look at one decoded case, of a volume at one slice.

    `grey_mask` says what only the file knows, that grey values were cut.
    """
    whole, sample = sample, shown_slice(sample)
    grey = to_grey(sample.image)
    ink = marks_in(grey)
    colour = colour_overlay(sample.image)
    lesion = None if sample.lesion_mask is None else sample.lesion_mask > 0
    return CaseFacts(
        size=(grey.shape[0], grey.shape[1]),
        label=sample.label,
        marks=bool(ink.any()),
        coloured=colour is not None and int(colour.sum()) >= _MIN_COLOUR_PIXELS,
        lesions=None if sample.lesion_mask is None else lesion_count(sample.lesion_mask),
        grey_mask=grey_mask,
        lesion_area=0 if lesion is None else int(lesion.sum()),
        at_border=lesion is not None and bool(_edge(lesion).any()),
        nothing=nothing_in(whole.image),
        picture=_picture(sample.image, lesion, ink),
    )


def lesion_count(instance_map: NDArray[np.uint8]) -> int:
    """Lesions in an instance map: its instances, each counted once per separate part of at least 20 pixels."""
    count = 0
    for instance in np.unique(instance_map[instance_map > 0]):
        parts, _, statistics, _ = cv2.connectedComponentsWithStats((instance_map == instance).astype(np.uint8))
        large = int((statistics[1:parts, cv2.CC_STAT_AREA] >= _MIN_COMPONENT).sum())
        count += max(1, large)
    return count


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])


def _picture(image: NDArray[np.uint8], lesion: NDArray[np.bool_] | None, marks: NDArray[np.bool_]) -> bytes:
    canvas = as_canvas(image, width=PICTURE_WIDTH)
    size = (canvas.shape[1], canvas.shape[0])
    for mask, colour, margin in ((lesion, _LESION_COLOUR, 1), (marks, _MARK_COLOUR, 9)):
        if mask is not None and mask.any():
            small = (cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.1).astype(np.uint8)
            draw_outline(canvas, cv2.dilate(small, np.ones((margin, margin), np.uint8)) > 0, colour=colour)
    return as_jpeg(canvas, quality=75)
