"""How well a predicted mask matches a lesion's box (LA-Net scores data that has boxes alone this way)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Box
from bustle.evaluation.segmentation import LEAVE_OUT_NORMALS, EmptyMasks


def tight_box(mask: NDArray[np.bool_]) -> Box | None:
    """The smallest box around the largest 8-connected part of a mask `H W`; None for an empty mask."""
    count, _, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count == 1:
        return None
    x, y, width, height, _ = (int(value) for value in max(statistics[1:], key=lambda part: part[cv2.CC_STAT_AREA]))
    return Box(y, x, y + height, x + width)


def largest_box(boxes: Sequence[Box]) -> Box | None:
    """The box of the largest area; None without any."""
    return max(boxes, key=_area, default=None)


def intersection_over_union(first: Box, second: Box) -> float:
    height = min(first.y_stop, second.y_stop) - max(first.y_start, second.y_start)
    width = min(first.x_stop, second.x_stop) - max(first.x_start, second.x_start)
    shared = max(height, 0) * max(width, 0)
    return shared / (_area(first) + _area(second) - shared)


def box_dice(iou: float) -> float:
    """The Dice coefficient of two boxes by their intersection over union: 2 IoU / (1 + IoU)."""
    return 2 * iou / (1 + iou)


def score_boxes(truth: Box | None, prediction: Box | None, *, empty_masks: EmptyMasks) -> float | None:
    """The boxes' intersection over union; None for a box means that there is no lesion, or that none is drawn.

    A missed lesion scores 0. Without a true lesion, policies that leave normals out of Dice leave the case out here
    too (None); the others give 1 if nothing is drawn and else 0.
    """
    if truth is None:
        return None if empty_masks in LEAVE_OUT_NORMALS else float(prediction is None)
    return 0.0 if prediction is None else intersection_over_union(truth, prediction)


def _area(box: Box) -> int:
    return (box.y_stop - box.y_start) * (box.x_stop - box.x_start)
