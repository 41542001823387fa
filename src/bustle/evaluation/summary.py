"""From the rows of `cases.csv` to the figures of a track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bustle.core.recipe import Protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.class_summary import summarise_classes
from bustle.evaluation.consistency import summarise_consistency
from bustle.evaluation.figures import (
    AnswerFigures,
    CaseFigures,
    DetectionFigures,
    Estimates,
    MaskFigures,
    SizeFigures,
)
from bustle.evaluation.metrics import DETECTION, SEGMENTATION
from bustle.evaluation.results import Bootstrap, TrackScores
from bustle.evaluation.segmentation import LEAVE_OUT_NORMALS
from bustle.evaluation.statistics import RESAMPLING, GroupResamples, mean_over_cases, weighted_means
from bustle.evaluation.strata import size_strata

FloatArray = NDArray[np.float64]

EMPTY_POLICIES = {
    "strict": "lesion present and nothing drawn: Dice 0, distance = image diagonal; "
    "no lesion: left out here, counted in the false positives on normals",
    "lesions_only": "lesion present and nothing drawn: Dice 0, distance undefined and left out; no lesion: left out",
    "undefined": "both empty: Dice 1, distance 0; one empty: Dice 0, distance undefined and left out",
    "zero_distance": "both empty: Dice 1, distance 0; one empty: Dice 0, distance 0",
}


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """By what rules cases are scored and intervals made: `resamples` of whole groups, drawn from `seed`."""

    protocol: Protocol
    classes: Sequence[str]
    resamples: int = 2000
    seed: int = 0

    def resample(self, rows: Sequence[CaseRow]) -> GroupResamples:
        return GroupResamples.draw([row.group_id for row in rows], resamples=self.resamples, seed=self.seed)


def summarise(
    rows: Sequence[CaseRow],
    *,
    scoring: Scoring,
    track: str,
    lesion_detection: DetectionFigures | None = None,
    answers: AnswerFigures | None = None,
) -> TrackScores:
    """Every metric with SD over cases and clustered 95 % interval.

    `rows` as made by `score_case`. A part without any scored case is None, never a made-up number.
    """
    protocol = scoring.protocol
    whole = summarise_cases(rows, scoring=scoring)
    sources = sorted({row.source for row in rows})
    by_source = {name: [row for row in rows if row.source == name] for name in sources}
    by_label = {name: [row for row in rows if row.label == name] for name in (*scoring.classes, "normal")}
    return TrackScores(
        track=track,
        protocol=protocol.id,
        resolution=protocol.resolution,
        empty_policy=protocol.empty_masks,
        headline_distance=protocol.hd95,
        n_cases=whole.n_cases,
        n_groups=len({row.group_id for row in rows}),
        bootstrap=Bootstrap(method=RESAMPLING, resamples=scoring.resamples, seed=scoring.seed),
        segmentation=whole.segmentation,
        classification=whole.classification,
        consistency=whole.consistency,
        lesion_detection=lesion_detection,
        answers=answers,
        by_source={
            name: whole if len(sources) == 1 else summarise_cases(part, scoring=scoring)
            for name, part in by_source.items()
        },
        by_label={name: _masks_of_label(part, scoring=scoring) for name, part in by_label.items() if part},
        by_size=_by_size(rows, scoring=scoring),
    )


def summarise_cases(rows: Sequence[CaseRow], *, scoring: Scoring) -> CaseFigures:
    """`segmentation`, `classification` and `consistency` of one set of cases, from the same resamples."""
    if not rows:
        return CaseFigures(n_cases=0, segmentation=None, classification=None, consistency=None)
    resamples = scoring.resample(rows)
    return CaseFigures(
        n_cases=len(rows),
        segmentation=_summarise_masks(rows, resamples=resamples, protocol=scoring.protocol),
        classification=summarise_classes(
            rows, resamples=resamples, protocol=scoring.protocol, classes=scoring.classes
        ),
        consistency=summarise_consistency(rows, resamples=resamples, classes=scoring.classes),
    )


def _masks_of_label(rows: Sequence[CaseRow], *, scoring: Scoring) -> MaskFigures:
    """Only `segmentation`: class metrics of a single class say nothing."""
    masks = _summarise_masks(rows, resamples=scoring.resample(rows), protocol=scoring.protocol)
    return MaskFigures(n_cases=len(rows), segmentation=masks)


def _by_size(rows: Sequence[CaseRow], *, scoring: Scoring) -> SizeFigures | None:
    """None where no case has a lesion mask."""
    strata = size_strata(rows)
    if strata is None:
        return None
    parts = {name: [row for row in rows if strata.stratum(row) == name] for name in strata.names}
    return SizeFigures(
        unit=strata.unit,
        borders=strata.borders,
        strata={name: summarise_cases(part, scoring=scoring) for name, part in parts.items()},
    )


def _summarise_masks(rows: Sequence[CaseRow], *, resamples: GroupResamples, protocol: Protocol) -> Estimates | None:
    scored = [row for row in rows if row.truth_empty is not None and row.prediction_empty is not None]
    if not scored and all(row.box_iou is None for row in rows):
        return None
    table = mask_values(rows)
    resampled = weighted_means(table, weights=resamples.weights)
    found = {
        name: mean_over_cases(
            table[:, column], groups=resamples.groups, resampled=resampled[:, column], metric=metric
        )
        for column, (name, metric) in enumerate((SEGMENTATION | DETECTION).items())
    }
    with_policy = {
        name: replace(found[name], n_undefined=_undefined(name, scored, protocol), empty_policy=protocol.empty_masks)
        for name in SEGMENTATION
    }
    return found | with_policy


def mask_values(rows: Sequence[CaseRow]) -> FloatArray:
    """`cases x metrics` in the order of `SEGMENTATION | DETECTION`, NaN where a case has no value."""
    return np.array([[_value(row.value(name)) for name in SEGMENTATION] + _detection(row) for row in rows])


def _value(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _detection(row: CaseRow) -> list[float]:
    """The values of `DETECTION`, each NaN where it does not concern the case."""
    if row.truth_empty is None or row.prediction_empty is None:
        return [np.nan] * 3
    if row.truth_empty:
        return [np.nan, float(not row.prediction_empty), _value(row.false_positive_area)]
    return [float(row.dice == 0), np.nan, np.nan]


def _undefined(name: str, scored: Sequence[CaseRow], protocol: Protocol) -> int:
    """Cases that the policy includes and that still have no value."""
    if name in ("box_iou", "box_dice"):
        return 0  # defined wherever there is something to compare
    eligible = [row for row in scored if not (row.truth_empty and protocol.empty_masks in LEAVE_OUT_NORMALS)]
    if name.endswith("_mm"):
        eligible = [row for row in eligible if row.area_mm2 is not None or row.volume_mm3 is not None]
    return sum(row.value(name) is None for row in eligible)
