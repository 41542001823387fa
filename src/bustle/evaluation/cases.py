"""One case's truth and prediction, and its row of `cases.csv`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bustle.core.recipe import Protocol
from bustle.core.types import Box
from bustle.evaluation.boxes import box_dice, largest_box, score_boxes, tight_box
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.segmentation import pixel_counts, score_masks


@dataclass(frozen=True, kw_only=True)
class TruthCase:
    """What is known about a case. `mask` is bool `*S` on the grid that the protocol scores, None if unknown.

    `boxes` are the lesions' on that grid, for a case whose mask is unknown. `spacing` is that grid's pixel size in
    mm. `group_id` is the leak group.
    """

    case_id: str
    source: str
    patient_id: str | None = None
    group_id: str | None = None
    label: str | None = None
    mask: NDArray[np.bool_] | None = None
    boxes: tuple[Box, ...] | None = None
    spacing: tuple[float, ...] | None = None

    @property
    def cluster(self) -> str:
        """The unit of resampling: the leak group, else the patient, else the case itself."""
        if self.group_id is not None:
            return self.group_id
        return self.case_id if self.patient_id is None else f"{self.source}/{self.patient_id}"


@dataclass(frozen=True, kw_only=True)
class PredictedCase:
    """What a method says about a case; `mask` is bool on the same grid as the truth's, `decision` a class name."""

    case_id: str
    mask: NDArray[np.bool_] | None = None
    class_probabilities: Mapping[str, float] | None = None
    decision: str | None = None


def score_case(truth: TruthCase, predicted: PredictedCase, *, protocol: Protocol, classes: Sequence[str]) -> CaseRow:
    """One row of `cases.csv`, without the size stratum."""
    probabilities = predicted.class_probabilities or {}
    box_iou = _box_iou(truth, predicted.mask, protocol)
    row = CaseRow(
        case_id=truth.case_id,
        patient_id=truth.patient_id,
        group_id=truth.cluster,
        source=truth.source,
        label=truth.label,
        probabilities={name: probabilities.get(name) for name in classes},
        decision=predicted.decision,
        box_iou=box_iou,
        box_dice=None if box_iou is None else box_dice(box_iou),
        prediction_empty=None if predicted.mask is None else not predicted.mask.any(),
    )
    return row if truth.mask is None else _scored_by_mask(row, truth, predicted.mask, protocol)


def _scored_by_mask(
    row: CaseRow, truth: TruthCase, prediction: NDArray[np.bool_] | None, protocol: Protocol
) -> CaseRow:
    """The row with what a known true mask adds: its size, and where something was predicted the metrics."""
    assert truth.mask is not None
    area = int(np.count_nonzero(truth.mask))
    row = replace(row, area=area, truth_empty=area == 0)
    if truth.spacing is not None:
        column = "area_mm2" if truth.mask.ndim == 2 else "volume_mm3"
        row = replace(row, **{column: area * float(np.prod(truth.spacing))})
    if prediction is None:
        return row
    metrics = score_masks(truth.mask, prediction, spacing=truth.spacing, empty_masks=protocol.empty_masks)
    false_positive = pixel_counts(truth.mask, prediction).false_positive
    return replace(row, **metrics, false_positive_area=false_positive)


def _box_iou(truth: TruthCase, prediction: NDArray[np.bool_] | None, protocol: Protocol) -> float | None:
    """None for a volume, and where neither a mask nor boxes are known."""
    if prediction is None or prediction.ndim != 2 or (truth.mask is None and truth.boxes is None):
        return None
    true_box = largest_box(truth.boxes or ()) if truth.mask is None else tight_box(truth.mask)
    return score_boxes(true_box, tight_box(prediction), empty_masks=protocol.empty_masks)
