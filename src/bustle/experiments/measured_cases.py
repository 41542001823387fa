"""The descriptors of the cases of a data set: within expert outlines, and within those that a network drew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.types import Case, Sample
from bustle.data.case_pass import each_sample
from bustle.data.relations.frame_features import to_grey
from bustle.experiments.scored_pairs import PredictionIndex
from bustle.inference.descriptors.describe import describe_lesions
from bustle.inference.descriptors.results import LesionDescriptors
from bustle.inference.stored_prediction import StoredImageMask


@dataclass(frozen=True)
class MeasuredCase:
    """The largest lesion of one image as outlined by an `expert`, and as `predicted`; None where nothing is drawn.

    `network` is the probability of malignancy that a network gave.
    """

    case: Case
    expert: LesionDescriptors | None
    predicted: LesionDescriptors | None = None
    network: float | None = None


def measure_cases(cases: Sequence[Case], *, predictions: PredictionIndex | None = None) -> list[MeasuredCase]:
    """Measure every case, on all cores. Raises `InputError` for a broken file and for volumes."""
    by_id = {case.case_id: case for case in cases}

    def one(sample: Sample) -> MeasuredCase:
        case = by_id[sample.case_id]
        if sample.geometry.dims != 2:
            raise InputError(f"'{case.case_id}' is a volume", remedy="give images")
        if predictions is None:
            return MeasuredCase(case, _expert(sample))
        stored = predictions.read(case, size=sample.geometry.original_size)
        drawn = stored.segmentation
        return MeasuredCase(
            case,
            _expert(sample),
            _largest(sample, drawn.mask) if isinstance(drawn, StoredImageMask) else None,
            (stored.class_probabilities or {}).get("malignant"),
        )

    measured = []
    for found in each_sample(cases, one, description="measure"):
        if isinstance(found, InputError):
            raise found
        measured.append(found)
    return measured


def _expert(sample: Sample) -> LesionDescriptors | None:
    return None if sample.lesion_mask is None else _largest(sample, sample.lesion_mask > 0)


def _largest(sample: Sample, mask: NDArray[np.bool_]) -> LesionDescriptors | None:
    found = describe_lesions(to_grey(sample.image), mask, spacing=sample.geometry.spacing)
    return found[0] if found else None
