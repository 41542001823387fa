"""What a network says about cases that are known, from which its decision rule is fitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.progress import progress
from bustle.core.types import Case, Prediction, Sample, VolumeSegmentation
from bustle.experiments.scored_pairs import true_mask
from bustle.inference.decided_outline import OutlineRule, measured_parts, numbered_parts, possible_lesions
from bustle.inference.decision import BENIGN, MALIGNANT, Values
from bustle.inference.image_prediction import largest_lesion
from bustle.inference.picture_statistics import picture_statistics
from bustle.inference.pipeline import Item
from bustle.inference.predictor import Predictor


@dataclass(frozen=True, kw_only=True)
class DrawnPart:
    """A connected part of what may be a lesion: its `area`, and how much of it lies in the true lesion, in pixels.

    `mean` is that of the lesion map in it. `lesion` is what was measured of it: nothing where a larger part is as
    sure, because of the parts that a rule keeps, only the largest is looked at.
    """

    area: int
    overlap: int
    mean: float
    lesion: Values


@dataclass(frozen=True, kw_only=True)
class CalibrationCase:
    """What the network says about a case that is known, None where it is not: `has_lesion`, `label`, `true_area`.

    `group` holds the cases of the same patient. `peak` is the highest value of the lesion map, or a volume's surest
    candidate's score. `statistics` are the picture's own, `parts` what may be a lesion if none is dropped; of a
    volume there are neither.
    """

    group: str
    statistics: tuple[float, ...]
    probabilities: dict[str, float]
    peak: float
    label: str | None
    has_lesion: bool | None
    true_area: int | None
    parts: tuple[DrawnPart, ...]

    def kept_parts(self, rule: OutlineRule) -> list[DrawnPart]:
        if not self.parts:
            return []
        kept = rule.keeps(np.array([part.area for part in self.parts]), np.array([part.mean for part in self.parts]))
        return [part for part, keeps in zip(self.parts, kept, strict=True) if keeps]

    def dice(self, rule: OutlineRule) -> float:
        """Dice of what the `rule` keeps, of a case with a true outline and parts; 0 where it hits nothing of it."""
        parts = self.kept_parts(rule)
        drawn, overlap = sum(part.area for part in parts), sum(part.overlap for part in parts)
        return 2 * overlap / (drawn + (self.true_area or 0))

    def lesion(self, rule: OutlineRule) -> Values:
        """What was measured of the largest part that the `rule` keeps; nothing of a volume."""
        parts = self.kept_parts(rule)
        return max(parts, key=lambda part: (part.area, part.mean)).lesion if parts else {}


def calibration_cases(
    predictor: Predictor, cases: Sequence[Case], *, groups: Mapping[str, str]
) -> Iterator[CalibrationCase]:
    """What a trained model says about `cases`, one after the other.

    `groups` maps case ids to what must not be divided, such as patients. Nothing of models that do not both outline
    and classify, which have no rule. Volumes are searched.
    """
    if not predictor.outlines or not {BENIGN, MALIGNANT} <= set(predictor.data.classes):
        return
    for case in progress(cases, description="fit the answers"):
        sample = case.load()
        item = Item(case.case_id, sample.image, sample.geometry)
        for prediction in predictor.predict_many([item]):
            if prediction.class_probabilities is not None:
                yield _calibration_case(prediction, sample, label=case.label, group=groups[case.case_id])


def _calibration_case(prediction: Prediction, sample: Sample, *, label: str | None, group: str) -> CalibrationCase:
    truth = true_mask(sample)
    drawn = prediction.segmentation
    assert drawn is not None
    assert prediction.class_probabilities is not None
    known = label is not None or truth is not None
    shared: dict[str, Any] = {
        "group": group,
        "probabilities": dict(prediction.class_probabilities),
        "label": label,
        "has_lesion": (label in (BENIGN, MALIGNANT) or bool(truth is not None and truth.any())) if known else None,
        "true_area": None if truth is None else int(truth.sum()),
    }
    if isinstance(drawn, VolumeSegmentation):
        return CalibrationCase(peak=drawn.candidates[0].score, statistics=(), parts=(), **shared)
    mask = drawn.mask if drawn.raw_mask is None else drawn.raw_mask
    return CalibrationCase(
        statistics=picture_statistics(sample.image),
        peak=float(drawn.probability.max()),
        parts=tuple(_parts(mask, drawn.probability, sample=sample, truth=truth)),
        **shared,
    )


def _parts(
    mask: NDArray[np.bool_], probability: NDArray[np.float32], *, sample: Sample, truth: NDArray[np.bool_] | None
) -> Iterator[DrawnPart]:
    numbers = numbered_parts(possible_lesions(mask, probability, rule=OutlineRule()))
    areas, means = measured_parts(numbers, probability)
    overlaps = np.zeros_like(areas)
    if truth is not None:
        overlaps = np.bincount(numbers[truth], minlength=len(areas) + 1)[1:]
    for number, (area, overlap, mean) in enumerate(zip(areas, overlaps, means, strict=True), start=1):
        may_be_largest = not ((areas > area) & (means >= mean)).any()
        lesion = largest_lesion(sample.image, numbers == number, sample.geometry) if may_be_largest else None
        yield DrawnPart(area=int(area), overlap=int(overlap), mean=float(mean), lesion=lesion or {})
