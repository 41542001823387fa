"""FROC: how many lesions are found at how many false positives per case, with clustered intervals.

The curve is a step function without interpolation: the sensitivity at a rate is the greatest that any threshold
reaches with at most so many false positives per case. The mean over seven rates from 1/8 to 8 is the competition
performance metric (CPM; Niemeijer et al., IEEE TMI 2011). All cases count in the rate, those without lesions too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.evaluation.detection import DetectedCase
from bustle.evaluation.figures import DetectionBySize, DetectionFigures, Estimate, FrocPoints
from bustle.evaluation.metrics import FROC_RATES, LESION_DETECTION
from bustle.evaluation.row_blocks import row_blocks
from bustle.evaluation.statistics import GroupResamples, group_interval, share_interval
from bustle.evaluation.strata import VOLUME_BORDER

FloatArray = NDArray[np.float64]


class FrocCurve(NamedTuple):
    """False positives per case and sensitivity at each distinct score, falling; the first point is (0, 0)."""

    threshold: FloatArray
    false_positives: FloatArray
    sensitivity: FloatArray


class _Events(NamedTuple):
    """The finds and false positives of all cases in falling order of score; `ends` closes each set of equal ones."""

    score: FloatArray
    case: NDArray[np.int64]
    is_hit: NDArray[np.bool_]
    ends: NDArray[np.int64]
    lesions: FloatArray


def froc_curve(cases: Sequence[DetectedCase]) -> FrocCurve:
    """The curve over all cases. Raises `ValueError` without any case or any lesion."""
    events = _events(cases)
    if not events.lesions.sum():
        raise ValueError("a FROC curve needs at least one true lesion")
    rate, sensitivity = _curves(events, np.ones((1, len(cases))))
    return FrocCurve(np.append(np.inf, events.score[events.ends]), rate[0], sensitivity[0])


def summarise_detection(
    cases: Sequence[DetectedCase], *, least_iou: float, threshold: float, resamples: int = 2000, seed: int = 0
) -> DetectionFigures | None:
    """The part `lesion_detection` of `metrics.json`; None where there is no true lesion.

    The entries of `LESION_DETECTION` with 95 % intervals from whole groups (patients) resampled, the curve, and what
    they depend on: the hit rule and the working `threshold` (a candidate counts from this score on). `by_size` has
    `lesion_sensitivity` again for the lesions up to 1 cm³ and above, None where there are none.
    """
    if not lesion_count(cases):
        return None
    drawn = GroupResamples.draw([case.group_id for case in cases], resamples=resamples, seed=seed)
    point = detection_values(cases, weights=np.ones((1, len(cases))), threshold=threshold)[0]
    resampled = detection_values(cases, weights=drawn.weights, threshold=threshold)
    lesions = lesion_count(cases)
    curve = froc_curve(cases)
    estimates = {
        name: Estimate(
            mean=float(point[column]),
            sd=None,
            ci95=(
                share_interval(float(point[column]), resampled[:, column], groups=lesion_groups(name, cases, drawn))
                if metric.is_share
                else group_interval(resampled[:, column], groups=lesion_groups(name, cases, drawn))
            ),
            n=len(cases) if name == "false_positives_per_case" else lesions,
            unit=metric.unit,
        )
        for column, (name, metric) in enumerate(LESION_DETECTION.items())
    }
    small, large = (
        _sensitivity(_of_size(cases, small=small), resamples=drawn, threshold=threshold) for small in (True, False)
    )
    return DetectionFigures(
        hit_rule=f"IoU of at least {least_iou:g}",
        threshold=threshold,
        n_cases=len(cases),
        n_lesions=lesions,
        curve=FrocPoints(
            false_positives_per_case=tuple(curve.false_positives.tolist()),
            sensitivity=tuple(curve.sensitivity.tolist()),
        ),
        estimates=estimates,
        by_size=DetectionBySize(unit="mm³", border=VOLUME_BORDER, small=small, large=large),
    )


def _of_size(cases: Sequence[DetectedCase], *, small: bool) -> list[list[float | None]]:
    """Of every case, the scores of its small or its large lesions; the border itself is small."""
    return [
        [s for s, mm3 in zip(case.hit_scores, case.lesion_mm3, strict=True) if (mm3 <= VOLUME_BORDER) == small]
        for case in cases
    ]


def _sensitivity(
    scores: Sequence[Sequence[float | None]], *, resamples: GroupResamples, threshold: float
) -> Estimate | None:
    """The entry `lesion_sensitivity` of lesions given by their scores case by case; None without any."""
    lesions = np.array([len(case) for case in scores], np.float64)
    if not lesions.any():
        return None
    found = np.array([sum(score is not None and score >= threshold for score in case) for case in scores], np.float64)
    share = float(found.sum() / lesions.sum())
    drawn = resamples.weights @ lesions
    resampled = (resamples.weights @ found)[drawn > 0] / drawn[drawn > 0]
    return Estimate(
        mean=share,
        sd=None,
        ci95=share_interval(share, resampled, groups=resamples.groups[lesions > 0]),
        n=int(lesions.sum()),
        unit=LESION_DETECTION["lesion_sensitivity"].unit,
    )


def lesion_groups(name: str, cases: Sequence[DetectedCase], resamples: GroupResamples) -> NDArray[np.int64]:
    """The groups of the cases that a metric of `LESION_DETECTION` counts: those with a lesion, or all."""
    if name == "false_positives_per_case":
        return resamples.groups
    return resamples.groups[[bool(case.hit_scores) for case in cases]]


def lesion_count(cases: Sequence[DetectedCase]) -> int:
    """How many true lesions there are to find."""
    return sum(len(case.hit_scores) for case in cases)


def detection_values(cases: Sequence[DetectedCase], *, weights: FloatArray, threshold: float) -> FloatArray:
    """The values of `LESION_DETECTION` in its order, `R x metrics`, where case `c` counts `weights[r, c]` times.

    A candidate counts from a score of `threshold` on. NaN where no lesion counts.
    """
    events = _events(cases)
    blocks = row_blocks(weights, width=len(events.score))
    return np.concatenate([_values(events, block, threshold) for block in blocks])


def _events(cases: Sequence[DetectedCase]) -> _Events:
    listed = [
        (score, number, is_hit)
        for number, case in enumerate(cases)
        for scores, is_hit in ((case.hit_scores, True), (case.false_scores, False))
        for score in scores
        if score is not None
    ]
    score = np.array([event[0] for event in listed], np.float64)
    order = np.argsort(-score, kind="stable")
    score = score[order]
    return _Events(
        score=score,
        case=np.array([event[1] for event in listed], np.int64)[order],
        is_hit=np.array([event[2] for event in listed], bool)[order],
        ends=np.flatnonzero(np.append(score[:-1] != score[1:], True)) if len(score) else np.zeros(0, np.int64),
        lesions=np.array([len(case.hit_scores) for case in cases], np.float64),
    )


def _curves(events: _Events, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """False positives per case and sensitivity, `R x (thresholds + 1)`, for `weights` `R x cases`."""
    of_event = weights[:, events.case]
    start = np.zeros((len(weights), 1))
    hits = np.hstack([start, np.cumsum(of_event * events.is_hit, axis=1)[:, events.ends]])
    false = np.hstack([start, np.cumsum(of_event * ~events.is_hit, axis=1)[:, events.ends]])
    lesions = (weights @ events.lesions)[:, None]
    sensitivity = np.divide(hits, lesions, out=np.full_like(hits, np.nan), where=lesions > 0)
    return false / weights.sum(axis=1, keepdims=True), sensitivity


def _values(events: _Events, weights: FloatArray, threshold: float) -> FloatArray:
    rate, sensitivity = _curves(events, weights)
    every = np.arange(len(weights))
    # 1e-9: a rate such as 3 / 24 must not miss its 1/8 by rounding
    reached = [sensitivity[every, (rate <= limit + 1e-9).sum(axis=1) - 1] for limit in FROC_RATES]
    working = int(np.count_nonzero(events.score[events.ends] >= threshold))
    at_rates = np.stack(reached, axis=1)
    return np.column_stack([sensitivity[:, working], rate[:, working], at_rates.mean(axis=1), at_rates])
