"""What result objects say about a file of single images, from the files of their predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bustle.inference.decided_outline import numbered_parts
from bustle.inference.prediction_files import RECORD, read_prediction
from bustle.inference.prediction_record import ImageRecord, LesionRecord, VolumeRecord, read_record
from bustle.io.dicom.result_content import ReportedAnswer, ReportedImage, ReportedLesion
from bustle.io.dicom.source import SourceImage

if TYPE_CHECKING:
    from bustle.io.dicom.pictures import DicomPicture

MOST_LESIONS = 10
"""Of one file, the largest; the others are in its masks."""

MALIGNANT = "malignant"


@dataclass(frozen=True)
class PredictedPicture:
    """A field of an image, and the folder with its prediction."""

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


def reported_image(source: SourceImage, pictures: Sequence[PredictedPicture]) -> ReportedImage:
    """All that the fields of one image say of it.

    Where there are several, the answer is that of the one with the highest probability of malignant.
    """
    found = sorted(
        ((lesion.area, made) for each in pictures for lesion, made in _lesions(each, size=source.size)),
        key=lambda pair: -pair[0],
    )
    lesions = sorted((made for _, made in found[:MOST_LESIONS]), key=lambda made: (made.field or 0, made.number))
    return ReportedImage(source=source, answer=_answer(pictures), lesions=tuple(lesions))


def _lesions(picture: PredictedPicture, *, size: tuple[int, int]) -> Iterator[tuple[LesionRecord, ReportedLesion]]:
    record, parts = picture.record(), picture.parts(size)
    for number, lesion in enumerate(record.drawn.lesions or (), start=1):
        described = lesion.descriptors
        measured: Mapping[str, float | None] = {
            "longest_diameter": lesion.long_axis,
            "perpendicular_diameter": lesion.short_axis,
            "area": lesion.area,
        }
        yield (
            lesion,
            ReportedLesion(
                number=number,
                field=picture.picture.field.number if picture.picture.fields > 1 else None,
                masks={picture.frame: parts == number},
                measured_frame=picture.frame,
                certainty=lesion.probability,
                suspected=record.answer is not None and bool(record.answer.suspected),
                touches_edge=None if described is None else described.touches_edge,
                unit=record.unit or "px",
                measured=measured if described is None else described.values,
                words={} if described is None else described.words.by_name(),
            ),
        )


def _answer(pictures: Sequence[PredictedPicture]) -> ReportedAnswer:
    records = {each: each.record() for each in pictures}
    chosen = max(pictures, key=lambda each: probabilities_of(records[each]).get(MALIGNANT, 0.0))
    record = records[chosen]
    answer = record.answer
    return ReportedAnswer(
        frame=chosen.frame,
        decision=record.decision,
        probabilities=probabilities_of(record),
        calibrated=answer is not None,
        possible=() if answer is None else answer.possible,
        moved_by=() if answer is None else tuple(str(moved) for moved in answer.moved_by),
        remarks=record.remarks,
    )


def probabilities_of(record: ImageRecord | VolumeRecord) -> Mapping[str, float]:
    """Those of the answer, or the network's own where there is none."""
    return (record.class_probabilities if record.answer is None else record.answer.probabilities) or {}
