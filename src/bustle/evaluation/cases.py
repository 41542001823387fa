"""One case's truth and prediction, and its row of `cases.csv`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.recipe import Protocol
from bustle.core.types import Box
from bustle.evaluation.boxes import largest_box, score_boxes, tight_box
from bustle.evaluation.segmentation import metric_names, pixel_counts, score_masks


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


def score_case(
    truth: TruthCase, predicted: PredictedCase, *, protocol: Protocol, classes: Sequence[str]
) -> dict[str, Any]:
    """One row of `cases.csv`, without the size stratum. Unknown and undefined values are None.

    Areas are in pixels (voxels) of the scored grid; `area_mm2` is for images, `volume_mm3` for volumes.
    """
    probabilities = predicted.class_probabilities
    row: dict[str, Any] = {
        "case_id": truth.case_id,
        "patient_id": truth.patient_id,
        "group_id": truth.cluster,
        "source": truth.source,
        "label": truth.label,
    }
    row |= {f"probability_{name}": None if probabilities is None else probabilities.get(name) for name in classes}
    row["decision"] = predicted.decision
    return row | _mask_columns(truth, predicted.mask, protocol)


def _mask_columns(truth: TruthCase, prediction: NDArray[np.bool_] | None, protocol: Protocol) -> dict[str, Any]:
    columns: dict[str, Any] = dict.fromkeys(metric_names())
    columns |= dict.fromkeys(
        ("area", "area_mm2", "volume_mm3", "truth_empty", "prediction_empty", "false_positive_area")
    )
    columns["box_iou"] = _box_iou(truth, prediction, protocol)
    if truth.mask is not None:
        area = int(np.count_nonzero(truth.mask))
        columns |= {"area": area, "truth_empty": area == 0}
        if truth.spacing is not None:
            name = "area_mm2" if truth.mask.ndim == 2 else "volume_mm3"
            columns[name] = area * float(np.prod(truth.spacing))
    if prediction is not None:
        columns["prediction_empty"] = not prediction.any()
    if truth.mask is not None and prediction is not None:
        columns |= score_masks(truth.mask, prediction, spacing=truth.spacing, empty_masks=protocol.empty_masks)
        columns["false_positive_area"] = pixel_counts(truth.mask, prediction).false_positive
    return columns


def _box_iou(truth: TruthCase, prediction: NDArray[np.bool_] | None, protocol: Protocol) -> float | None:
    """None for a volume, and where neither a mask nor boxes are known."""
    if prediction is None or prediction.ndim != 2 or (truth.mask is None and truth.boxes is None):
        return None
    true_box = largest_box(truth.boxes or ()) if truth.mask is None else tight_box(truth.mask)
    return score_boxes(true_box, tight_box(prediction), empty_masks=protocol.empty_masks)
