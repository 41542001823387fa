"""How good answers are about whole lesions and patients, where the cases are frames of videos: `videos.json`.

A frame is no case of its own: its neighbours show the same tissue. The frames of a video are put together as
`bustle predict` does it, lesions followed and one answer each, and that answer is held against the video's class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Box, Case, Sample
from bustle.evaluation.boxes import intersection_over_union, tight_box
from bustle.evaluation.classification import areas_under_roc
from bustle.evaluation.statistics import GroupResamples, group_interval, share_interval
from bustle.inference.decision import BENIGN, MALIGNANT
from bustle.inference.prediction_files import RECORD, prediction_folder, read_prediction
from bustle.inference.prediction_record import ImageRecord, read_record
from bustle.reading.clip_answer import ClipAnswer, ClipLesion, answer_clip, follow_lesions
from bustle.reading.frame_record import FrameRecord
from bustle.reading.lesion_mask import LesionMask
from bustle.reading.study_answer import PartAnswer, decided
from bustle.reading.tracking import LesionTracker, Tracking
from bustle.reading.verdict import Verdict

LEAST_BOX_IOU = 0.3
"""From this overlap of its bounding box with a true one on, an outline is at the lesion."""

LEAST_SHARE = 0.5
"""A lesion is found by one that is at it in this share of the frames with a true box, or more."""

NO_ANSWER = "no answer"

_WHOLE_VIDEO = Tracking(longest_gap=1_000_000)
"""True boxes are drawn on a few frames only, far from each other."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A share or an area under the curve of `n` lesions or patients; None where it is undefined."""

    value: float | None
    ci95: tuple[float, float] | None
    n: int


@dataclass(frozen=True, kw_only=True)
class LesionRow:
    """A true lesion of a video, as far as boxes or masks tell where it is: in `frames`, of which `hits` were met.

    `lesion` is the number of the followed one that met it most often, None where none did. It is `found` from
    `LEAST_SHARE` of its frames on.
    """

    video: str
    patient: str
    label: str | None
    frames: int
    hits: int
    found: bool
    lesion: int | None
    decision: str | None
    malignant: float | None


@dataclass(frozen=True, kw_only=True)
class PatientRow:
    """`label` is the worst of the patient's videos; the answer is the most urgent one about them."""

    patient: str
    videos: int
    label: str | None
    decision: str | None
    malignant: float | None


@dataclass(frozen=True, kw_only=True)
class UnitScores:
    """`auc` is that of the probability of malignant against the class, `decisions` the answers by class."""

    auc: Figure
    decisions: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, kw_only=True)
class VideoScores:
    """The content of `videos.json`. Intervals resample patients.

    `false_lesions` are followed lesions that were in a frame whose true boxes are known and met none of them.
    `of_lesions` is about those that were found.
    """

    videos: int
    least_box_iou: float
    least_share: float
    lesions_found: Figure
    false_lesions: int
    of_lesions: UnitScores
    of_patients: UnitScores
    lesions: tuple[LesionRow, ...]
    patients: tuple[PatientRow, ...]


@dataclass(frozen=True)
class _ScoredVideo:
    name: str
    patient: str
    label: str | None
    answer: ClipAnswer
    lesions: tuple[LesionRow, ...]
    false_lesions: int


def score_videos(cases: Sequence[Case], predictions: Path, *, resamples: int) -> VideoScores | None:
    """From the predictions in a folder of `bustle evaluate`; None where no case is a frame of a video.

    Frames without a prediction, which could not be read, are left out. Raises `InputError` for damaged predictions.
    """
    by_video: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        is_frame = case.video is not None and case.frame is not None
        if is_frame and (prediction_folder(predictions, case.case_id) / RECORD).exists():
            by_video.setdefault((case.source, str(case.video)), []).append(case)
    if not by_video:
        return None
    videos = [_scored(source, video, frames, predictions) for (source, video), frames in by_video.items()]
    lesions = tuple(row for video in videos for row in video.lesions)
    patients = tuple(_patients(videos))
    found = [row for row in lesions if row.found]
    return VideoScores(
        videos=len(videos),
        least_box_iou=LEAST_BOX_IOU,
        least_share=LEAST_SHARE,
        lesions_found=_share([row.found for row in lesions], [row.patient for row in lesions], resamples=resamples),
        false_lesions=sum(video.false_lesions for video in videos),
        of_lesions=_unit_scores(found, resamples=resamples),
        of_patients=_unit_scores(patients, resamples=resamples),
        lesions=lesions,
        patients=patients,
    )


def _scored(source: str, video: str, frames: Sequence[Case], predictions: Path) -> _ScoredVideo:
    ordered = sorted(frames, key=lambda case: case.frame or 0)
    patient = f"{source}/{video}" if ordered[0].patient_id is None else f"{source}/{ordered[0].patient_id}"
    label = ordered[0].label
    records = [_record(case, predictions) for case in ordered]
    answer = answer_clip(records, name=video, unit="px")
    met, false_lesions = _met(ordered, records)
    rows = (
        _lesion_row(of_frames, answer, video=f"{source}/{video}", patient=patient, label=label) for of_frames in met
    )
    return _ScoredVideo(video, patient, label, answer, tuple(rows), false_lesions)


def _record(case: Case, predictions: Path) -> FrameRecord:
    folder = prediction_folder(predictions, case.case_id)
    record, drawn = read_record(folder / RECORD), read_prediction(folder).segmentation
    assert isinstance(record, ImageRecord)  # frames of videos have two axes
    return FrameRecord.of_record(record, mask=None if drawn is None else drawn.mask, frame=case.frame or 0)


def _met(cases: Sequence[Case], records: Sequence[FrameRecord]) -> tuple[list[list[set[int]]], int]:
    """Of each true lesion, by its frames, which followed ones are at it; and how many of these are at none."""
    truth = LesionTracker(_WHOLE_VIDEO)
    met: dict[int, list[set[int]]] = {}
    judged: set[int] = set()
    right: set[int] = set()
    for case, (record, numbers) in zip(cases, follow_lesions(records), strict=True):
        boxes = _true_boxes(case)
        if boxes is None:
            continue
        judged.update(numbers)
        for number, box in zip(truth.follow(record.frame, [_filled(box) for box in boxes]), boxes, strict=True):
            at_it = {
                followed
                for followed, lesion in zip(numbers, record.lesions, strict=True)
                if intersection_over_union(lesion.mask.box, box) >= LEAST_BOX_IOU
            }
            met.setdefault(number, []).append(at_it)
            right |= at_it
    return [met[number] for number in sorted(met)], len(judged - right)


def _true_boxes(case: Case) -> tuple[Box, ...] | None:
    """None where nobody has said where the lesions of this frame are."""
    if not (case.has_mask or case.has_box):
        return None
    sample: Sample = case.load()
    if sample.boxes is not None:
        return sample.boxes
    assert sample.lesion_mask is not None
    numbers = range(1, int(sample.lesion_mask.max(initial=0)) + 1)
    found = (tight_box(sample.lesion_mask == number) for number in numbers)
    return tuple(box for box in found if box is not None)


def _filled(box: Box) -> LesionMask:
    return LesionMask(box, np.ones((box.y_stop - box.y_start, box.x_stop - box.x_start), bool))


def _lesion_row(
    met: Sequence[set[int]], answer: ClipAnswer, *, video: str, patient: str, label: str | None
) -> LesionRow:
    counts = Counter(number for at_it in met for number in at_it)
    number, hits = min(counts.items(), key=lambda item: (-item[1], item[0]), default=(None, 0))
    followed: ClipLesion | None = next((each for each in answer.lesions if each.number == number), None)
    verdict = None if followed is None else followed.verdict
    return LesionRow(
        video=video,
        patient=patient,
        label=label,
        frames=len(met),
        hits=hits,
        found=hits >= LEAST_SHARE * len(met),
        lesion=number,
        **_said(verdict),
    )


def _said(verdict: Verdict | None) -> dict:
    if verdict is None:
        return {"decision": None, "malignant": None}
    return {"decision": verdict.decision, "malignant": verdict.malignant_median}


def _patients(videos: Iterable[_ScoredVideo]) -> Iterator[PatientRow]:
    by_patient: dict[str, list[_ScoredVideo]] = {}
    for video in videos:
        by_patient.setdefault(video.patient, []).append(video)
    for patient, own in by_patient.items():
        labels = {video.label for video in own}
        worst = next((name for name in (MALIGNANT, BENIGN) if name in labels), own[0].label)
        told = decided(
            [
                PartAnswer(
                    name=video.name,
                    side=None,
                    frames=video.answer.frames,
                    lesions=len(video.answer.lesions),
                    decided_by=video.answer.decided_by,
                    verdict=video.answer.verdict,
                )
                for video in own
            ]
        )
        yield PatientRow(
            patient=patient, videos=len(own), label=worst, **_said(None if told is None else told.verdict)
        )


def _unit_scores(rows: Sequence[LesionRow | PatientRow], *, resamples: int) -> UnitScores:
    labelled = [row for row in rows if row.label is not None]
    decisions: dict[str, Counter[str]] = {}
    for row in labelled:
        decisions.setdefault(str(row.label), Counter())[row.decision or NO_ANSWER] += 1
    return UnitScores(
        auc=_auc([row for row in labelled if row.malignant is not None], resamples=resamples),
        decisions={label: dict(sorted(counts.items())) for label, counts in sorted(decisions.items())},
    )


def _auc(rows: Sequence[LesionRow | PatientRow], *, resamples: int) -> Figure:
    positive: NDArray[np.bool_] = np.array([row.label == MALIGNANT for row in rows], bool)
    if positive.all() or not positive.any():
        return Figure(value=None, ci95=None, n=len(rows))
    score = np.array([row.malignant for row in rows], np.float64)
    drawn = GroupResamples.draw([row.patient for row in rows], resamples=resamples, seed=0)
    area = areas_under_roc(positive, score, weights=np.ones((1, len(rows))))
    rarer = positive if positive.sum() <= (~positive).sum() else ~positive
    interval = group_interval(areas_under_roc(positive, score, weights=drawn.weights), groups=drawn.groups[rarer])
    return Figure(value=float(area[0]), ci95=interval, n=len(rows))


def _share(hits: Sequence[bool], patients: Sequence[str], *, resamples: int) -> Figure:
    if not hits:
        return Figure(value=None, ci95=None, n=0)
    drawn = GroupResamples.draw(patients, resamples=resamples, seed=0)
    counted = np.asarray(hits, np.float64)
    shares = (drawn.weights @ counted) / drawn.weights.sum(axis=1)
    share = float(counted.mean())
    return Figure(value=share, ci95=share_interval(share, shares, groups=drawn.groups), n=len(hits))
