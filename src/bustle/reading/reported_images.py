"""What result objects say about an image or a clip, from the files of its predictions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.core.model_provenance import ModelProvenance
from bustle.inference.decided_outline import numbered_parts
from bustle.inference.inputs import InputImage
from bustle.inference.prediction_files import RECORD, prediction_folder, read_prediction
from bustle.inference.prediction_record import ImageRecord, LesionRecord, read_record
from bustle.io.dicom.pictures import DicomPicture
from bustle.io.dicom.result_content import Algorithm, ReportedAnswer, ReportedImage, ReportedLesion
from bustle.io.dicom.source import SourceImage
from bustle.reading.lesion_mask import LesionMask
from bustle.reading.tracking import LesionTracker

MOST_LESIONS = 10
"""Of one image or clip, the largest; the others are in its masks."""

MALIGNANT = "malignant"


@dataclass(frozen=True)
class PredictedPicture:
    """A field of a frame, and the folder with its prediction."""

    picture: DicomPicture
    folder: Path

    @property
    def frame(self) -> int:
        assert self.picture.frame is not None  # a volume has no frames that are predicted by themselves
        return self.picture.frame

    def record(self) -> ImageRecord:
        found = read_record(self.folder / RECORD)
        assert isinstance(found, ImageRecord)
        return found

    def parts(self, size: tuple[int, int]) -> NDArray[np.int32]:
        """The lesions on the full frame's grid `H W`, numbered from 1 in the record's order."""
        drawn = read_prediction(self.folder).segmentation
        whole = np.zeros(size, np.int32)
        if drawn is None:
            return whole
        found = numbered_parts(drawn.mask)
        order = np.zeros(found.max(initial=0) + 1, np.int32)
        for place, lesion in enumerate(self.record().drawn.lesions or (), start=1):
            y, x = lesion.contour[0]
            order[found[int(y), int(x)]] = place
        box = self.picture.field.box
        whole[box.y_start : box.y_stop, box.x_start : box.x_stop] = order[found]
        return whole


@dataclass(frozen=True)
class StoredMasks(Mapping[int, NDArray[np.bool_]]):
    """A lesion's masks by frame, read when they are asked for: a clip's do not fit into memory.

    `parts` are the numbers of the lesion in its frames.
    """

    pictures: Mapping[int, PredictedPicture]
    parts: Mapping[int, int]
    size: tuple[int, int]

    def __getitem__(self, frame: int) -> NDArray[np.bool_]:
        return self.pictures[frame].parts(self.size) == self.parts[frame]

    def __iter__(self) -> Iterator[int]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)


def algorithm_of(made: ModelProvenance, *, parameters: tuple[str, ...] = ()) -> Algorithm:
    """The model as result objects name it."""
    files = repr((made.model, made.weights, made.package, made.decision_rule)).encode()
    return Algorithm(
        name=made.title,
        version=made.bustle or "unreleased",
        answers_sha256=hashlib.sha256(files).hexdigest(),
        parameters=parameters,
    )


def predicted_pictures(out: Path, images: Sequence[InputImage]) -> list[PredictedPicture]:
    """Those of DICOM images and clips; volumes and other files have none."""
    return [
        PredictedPicture(image.dicom, prediction_folder(out, image.name))
        for image in images
        if image.dicom is not None and image.dicom.frame is not None
    ]


def reported_image(source: SourceImage, pictures: Sequence[PredictedPicture]) -> ReportedImage:
    """All that its `pictures`, in the order of their frames, say of one file.

    Where there are several, the answer is that of the one with the highest probability of malignant.
    """
    found: list[tuple[float, ReportedLesion]] = []
    for field in sorted({each.picture.field.number for each in pictures}):
        of_field = {each.frame: each for each in pictures if each.picture.field.number == field}
        for parts in _followed(of_field, size=source.size):
            found.append(_lesion(StoredMasks(of_field, parts, source.size)))
    largest = sorted(found, key=lambda pair: -pair[0])[:MOST_LESIONS]
    lesions = tuple(replace(lesion, number=place) for place, (_, lesion) in enumerate(largest, start=1))
    return ReportedImage(source=source, answer=_answer(source, pictures), lesions=lesions)


def _followed(pictures: Mapping[int, PredictedPicture], *, size: tuple[int, int]) -> Iterator[Mapping[int, int]]:
    """Each lesion of a clip as the number of its part by frame."""
    tracker, followed = LesionTracker(), dict[int, dict[int, int]]()
    for frame, picture in pictures.items():
        parts = picture.parts(size)
        numbers = range(1, int(parts.max(initial=0)) + 1)
        tracks = tracker.follow(frame, [LesionMask.of(parts == number) for number in numbers])
        for track, number in zip(tracks, numbers, strict=True):
            followed.setdefault(track, {})[frame] = number
    yield from followed.values()


def _lesion(masks: StoredMasks) -> tuple[float, ReportedLesion]:
    """A lesion as it is measured in the frame in which it is largest, and its area there."""
    records: dict[int, tuple[ImageRecord, LesionRecord]] = {}
    for frame, part in masks.parts.items():
        record = masks.pictures[frame].record()
        records[frame] = record, (record.drawn.lesions or ())[part - 1]
    best = max(records, key=lambda frame: records[frame][1].area)
    record, lesion = records[best]
    described = lesion.descriptors
    measured: Mapping[str, float | None] = {
        "longest_diameter": lesion.long_axis,
        "perpendicular_diameter": lesion.short_axis,
        "area": lesion.area,
    }
    words: Mapping[str, str | None] = {}
    if described is not None:
        measured = described.values
        words = {name: getattr(described.words, name) for name in described.words.__dataclass_fields__}
    return lesion.area, ReportedLesion(
        number=1,
        masks=masks,
        measured_frame=best,
        certainty=lesion.probability,
        suspected=record.answer is not None and record.answer.is_suspected,
        touches_edge=None if described is None else described.touches_edge,
        unit=record.unit or "px",
        measured=measured,
        words=words,
    )


def _answer(source: SourceImage, pictures: Sequence[PredictedPicture]) -> ReportedAnswer:
    records = {each: each.record() for each in pictures}
    chosen = max(pictures, key=lambda each: _probabilities(records[each]).get(MALIGNANT, 0.0))
    record = records[chosen]
    answer = record.answer
    remarks = list(record.remarks)
    if source.is_clip:
        remarks.append(f"Frame {chosen.frame} of {source.frames} has the highest probability of malignant")
    return ReportedAnswer(
        frame=chosen.frame,
        decision=record.decision,
        probabilities=_probabilities(record),
        calibrated=answer is not None,
        possible=() if answer is None else answer.possible,
        moved_by=() if answer is None else tuple(str(moved) for moved in answer.moved_by),
        remarks=tuple(remarks),
    )


def _probabilities(record: ImageRecord) -> Mapping[str, float]:
    return (record.class_probabilities if record.answer is None else record.answer.probabilities) or {}
