"""How well one predicted mask matches the true one: overlap, pixel rates and surface distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bustle.evaluation.surface import surface_distances

EmptyMasks = Literal["strict", "lesions_only", "undefined", "zero_distance"]
LEAVE_OUT_NORMALS: tuple[EmptyMasks, ...] = ("strict", "lesions_only")
"""The policies by which a case without a lesion has no overlap and no distance."""
OVERLAPS = (
    "dice",
    "iou",
    "sensitivity",
    "specificity",
    "accuracy",
    "precision",
    "tfpr",
    "fpr_union",
    "fpr_background",
)
DISTANCES = ("hd95", "hd95_pooled", "asd", "assd")


@dataclass(frozen=True)
class PixelCounts:
    """Pixels of one image by truth and prediction, of the lesion class. A ratio 0/0 is None."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    def overlaps(self) -> dict[str, float | None]:
        """All overlap metrics, by name, as fractions; `tfpr` may exceed 1."""
        tp, fp, fn, tn = self.true_positive, self.false_positive, self.false_negative, self.true_negative
        return {
            "dice": _ratio(2 * tp, 2 * tp + fp + fn),
            "iou": _ratio(tp, tp + fp + fn),
            "sensitivity": _ratio(tp, tp + fn),
            "specificity": _ratio(tn, tn + fp),
            "accuracy": _ratio(tp + tn, tp + fp + fn + tn),
            "precision": _ratio(tp, tp + fp),
            "tfpr": _ratio(fp, tp + fn),
            "fpr_union": _ratio(fp, tp + fp + fn),
            "fpr_background": _ratio(fp, fp + tn),
        }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def pixel_counts(truth: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> PixelCounts:
    """Count the pixels of two bool masks of the same shape `*S`."""
    if truth.shape != prediction.shape:
        raise ValueError(f"masks of different shapes: {truth.shape} and {prediction.shape}")
    both = int(np.count_nonzero(truth & prediction))
    drawn, lesion = int(np.count_nonzero(prediction)), int(np.count_nonzero(truth))
    return PixelCounts(both, drawn - both, lesion - both, truth.size - drawn - lesion + both)


def score_masks(
    truth: NDArray[np.bool_],
    prediction: NDArray[np.bool_],
    *,
    spacing: Sequence[float] | None,
    empty_masks: EmptyMasks,
) -> dict[str, float | None]:
    """Every segmentation metric of one image by name; distances as `<name>_px` and `<name>_mm`.

    None means undefined or excluded by the policy `empty_masks` (see `Protocol`); millimetres are None without
    `spacing`. Masks are bool `*S`.
    """
    counts = pixel_counts(truth, prediction)
    lesion_absent = counts.true_positive + counts.false_negative == 0
    nothing_drawn = counts.true_positive + counts.false_positive == 0
    if lesion_absent and empty_masks in LEAVE_OUT_NORMALS:
        return dict.fromkeys(metric_names())
    scores = counts.overlaps()
    if lesion_absent and nothing_drawn:
        scores["dice"] = scores["iou"] = 1.0
    if empty_masks == "strict" and nothing_drawn:
        scores["precision"] = 0.0
    if lesion_absent or nothing_drawn:
        for unit, scale in (("px", np.ones(truth.ndim)), ("mm", spacing)):
            distance = None if scale is None else _empty_distance(truth.shape, scale, lesion_absent, empty_masks)
            if lesion_absent and nothing_drawn and scale is not None:
                distance = 0.0
            scores |= {f"{name}_{unit}": distance for name in DISTANCES}
        return scores
    return scores | _distances(truth, prediction, spacing)


def metric_names() -> list[str]:
    """The keys of `score_masks`."""
    return [*OVERLAPS, *(f"{name}_{unit}" for name in DISTANCES for unit in ("px", "mm"))]


def _empty_distance(
    shape: tuple[int, ...], scale: Sequence[float] | NDArray[np.float64], lesion_absent: bool, empty_masks: EmptyMasks
) -> float | None:
    """The distance when exactly one of the masks is empty."""
    if empty_masks == "strict" and not lesion_absent:
        return math.hypot(*(size * step for size, step in zip(shape, scale, strict=True)))
    return 0.0 if empty_masks == "zero_distance" else None


def _distances(
    truth: NDArray[np.bool_], prediction: NDArray[np.bool_], spacing: Sequence[float] | None
) -> dict[str, float | None]:
    pixels = surface_distances(truth, prediction)
    if spacing is None:
        millimetres = None
    elif len(set(spacing)) == 1:
        millimetres = pixels.scaled(spacing[0])
    else:
        millimetres = surface_distances(truth, prediction, spacing=spacing)
    return {
        f"{name}_{unit}": None if distances is None else getattr(distances, name)()
        for unit, distances in (("px", pixels), ("mm", millimetres))
        for name in DISTANCES
    }
