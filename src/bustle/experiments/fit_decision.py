"""Fitting the rule that turns a network's outputs into answers, on cases that it did not learn from.

The cases are those of a fold's validation part, which chose the epoch and nothing else; test parts stay unread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.progress import progress
from bustle.core.types import Case, Prediction, Sample, VolumeSegmentation
from bustle.experiments.malignancy_fit import KnownLesions, fit_malignancy
from bustle.experiments.question_fit import question_of
from bustle.experiments.scored_pairs import true_mask
from bustle.inference.decided_outline import numbered_parts, possible_lesions
from bustle.inference.decision import (
    BENIGN,
    MALIGNANT,
    NORMAL,
    DecisionRule,
    Domain,
    Question,
    Values,
    malignancy_inputs,
    presence_inputs,
)
from bustle.inference.image_prediction import largest_lesion
from bustle.inference.picture_statistics import picture_statistics
from bustle.inference.pipeline import Item
from bustle.inference.predictor import Predictor

LESION_COVERAGE, NORMAL_COVERAGE = 0.98, 0.9
"""In how many lesions a lesion is among the possible answers, in how many normals none."""

LEAST_PICTURES = 50
"""For the mean and covariance of their statistics."""

SHRINKAGE = 0.01
"""Of each statistic's variance, added to the covariance so that it can be inverted."""

LEAST_VARIANCE = 0.05**2
"""Of a statistic that hardly varies at home: that no picture there has a coloured pixel does not forbid a few."""

IN_DOMAIN, ELSEWHERE = 0.99, 1.75

SMALLEST_PARTS = (0.0, 0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True, kw_only=True)
class DrawnPart:
    """A connected part of the network's mask: its `area`, and how much of it lies in the true lesion, in pixels."""

    area: int
    overlap: int


@dataclass(frozen=True, kw_only=True)
class CalibrationCase:
    """What the network says about a case that is known, None where it is not: `has_lesion`, `label`, `true_area`.

    `group` holds the cases of the same patient. `peak` is the highest value of the lesion map, or a volume's surest
    candidate's score. `statistics` are the picture's own, `lesion` is what was measured of the largest part that may
    be a lesion; of a volume there are neither, nor `parts`.
    """

    group: str
    statistics: tuple[float, ...]
    probabilities: dict[str, float]
    peak: float
    label: str | None
    has_lesion: bool | None
    true_area: int | None
    parts: tuple[DrawnPart, ...]
    lesion: Values


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
        return CalibrationCase(peak=drawn.candidates[0].score, statistics=(), parts=(), lesion={}, **shared)
    mask = drawn.mask if drawn.raw_mask is None else drawn.raw_mask
    numbers = numbered_parts(mask)
    areas = np.bincount(numbers.ravel())[1:]
    overlaps = np.zeros_like(areas)
    if truth is not None:
        overlaps = np.bincount(numbers[truth], minlength=len(areas) + 1)[1:]
    possible = possible_lesions(mask, drawn.probability, smallest_part=0.0)
    return CalibrationCase(
        statistics=picture_statistics(sample.image),
        peak=float(drawn.probability.max()),
        parts=tuple(DrawnPart(area=int(a), overlap=int(o)) for a, o in zip(areas, overlaps, strict=True)),
        lesion=largest_lesion(sample.image, possible, sample.geometry) or {},
        **shared,
    )


def fit_rule(cases: Sequence[CalibrationCase]) -> DecisionRule | None:
    """The rule that these cases lead to; None where too few are known to be benign or malignant."""
    malignancy = fit_malignancy(known_lesions(cases))
    if malignancy is None:
        return None
    return DecisionRule(
        domain=fit_domain(np.array([case.statistics for case in cases])),
        presence=fit_presence(cases),
        malignancy=malignancy.question,
        smallest_part=fit_smallest_part(cases),
        descriptors=malignancy.descriptors,
        trial=malignancy.trial,
    )


def fit_presence(cases: Sequence[CalibrationCase]) -> Question | None:
    """The question whether there is a lesion; None of a network without normals, and of too few cases."""
    known = [case for case in cases if case.has_lesion is not None and NORMAL in case.probabilities]
    return question_of(
        [presence_inputs(case.probabilities, peak=case.peak) for case in known],
        [bool(case.has_lesion) for case in known],
        coverage_yes=LESION_COVERAGE,
        coverage_no=NORMAL_COVERAGE,
    )


def known_lesions(cases: Sequence[CalibrationCase]) -> KnownLesions:
    """Those of the cases that are known to be benign or malignant."""
    lesions = [case for case in cases if case.label in (BENIGN, MALIGNANT)]
    return KnownLesions(
        network=np.array([malignancy_inputs(case.probabilities)[0] for case in lesions]),
        measured=[case.lesion for case in lesions],
        malignant=np.array([case.label == MALIGNANT for case in lesions], bool),
        groups=[case.group for case in lesions],
    )


def fit_domain(statistics: NDArray[np.float64]) -> Domain | None:
    """What pictures look like whose statistics are `n x COUNT`; None of too few, and of volumes, which have none.

    The bound is the distance that 1 % of them exceed, times `ELSEWHERE`, because another hospital's pictures lie
    farther away than those left out at home.
    """
    if len(statistics) < LEAST_PICTURES or not statistics.size:
        return None
    mean, variance = statistics.mean(axis=0), statistics.var(axis=0)
    raised = np.maximum(LEAST_VARIANCE - variance, 0) + SHRINKAGE * variance
    covariance = np.cov(statistics.T) + np.diag(raised)
    precision = np.linalg.inv(covariance)
    unbounded = Domain(mean=tuple(mean.tolist()), precision=tuple(map(tuple, precision.tolist())), most_distance=0.0)
    distances = [unbounded.distance(each) for each in statistics]
    return replace(unbounded, most_distance=ELSEWHERE * float(np.quantile(distances, IN_DOMAIN)))


def outlined_lesions(cases: Sequence[CalibrationCase]) -> list[CalibrationCase]:
    """Those of the cases with a true outline of which something is drawn."""
    return [case for case in cases if case.true_area and case.parts]


def fit_smallest_part(cases: Sequence[CalibrationCase]) -> float:
    """The share with the highest mean Dice over the `outlined_lesions`, the smallest of equals."""
    outlined = outlined_lesions(cases)
    return max(SMALLEST_PARTS, key=lambda share: (round(_mean_dice(outlined, share), 9), -share))


def _mean_dice(cases: Sequence[CalibrationCase], share: float) -> float:
    values = []
    for case in cases:
        largest = max(part.area for part in case.parts)
        kept = [part for part in case.parts if part.area >= share * largest]
        drawn, overlap = sum(part.area for part in kept), sum(part.overlap for part in kept)
        values.append(2 * overlap / (drawn + (case.true_area or 0)))
    return float(np.mean(values)) if values else 0.0
