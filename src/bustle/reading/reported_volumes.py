"""What result objects say about a volume, from the files of its prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.inference.prediction_files import RECORD, read_prediction
from bustle.inference.prediction_record import VolumeRecord, read_record
from bustle.inference.stored_prediction import StoredVolumeMask
from bustle.io.dicom.pictures import DicomPicture
from bustle.io.dicom.result_content import ReportedAnswer, ReportedImage, ReportedLesion, SlicePlaces
from bustle.io.dicom.source import SourceImage
from bustle.io.dicom.volume import slice_places
from bustle.reading.reported_images import MOST_LESIONS, probabilities_of


@dataclass(frozen=True)
class PredictedVolume:
    """A volume, and the folder with its prediction."""

    picture: DicomPicture
    folder: Path

    def record(self) -> VolumeRecord:
        found = read_record(self.folder / RECORD)
        assert isinstance(found, VolumeRecord)
        return found

    def parts(self) -> NDArray[np.uint8] | None:
        """The mask `D H W`, whose voxels bear the number of their candidate; None of a network without one."""
        drawn = read_prediction(self.folder).segmentation
        assert drawn is None or isinstance(drawn, StoredVolumeMask)
        return None if drawn is None else drawn.parts


@dataclass(frozen=True)
class SliceMasks(Mapping[int, NDArray[np.bool_]]):
    """A lesion's masks `H W` by frame: where `parts` `D H W` bear its number; `places` are its frames' slices."""

    parts: NDArray[np.uint8] = field(repr=False)
    number: int
    places: Mapping[int, int]

    def __getitem__(self, frame: int) -> NDArray[np.bool_]:
        return self.parts[self.places[frame]] == self.number

    def __iter__(self) -> Iterator[int]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def reported_volume(source: SourceImage, volume: PredictedVolume) -> ReportedImage:
    """All that is said of a volume. Lesions bear the numbers of its candidates and of the voxels of `mask.nrrd`.

    Raises `InputError` where the file has gone meanwhile.
    """
    record, parts = volume.record(), volume.parts()
    places = _as_predicted(slice_places(volume.picture.path), record)
    lesions = () if parts is None else tuple(_lesions(record, parts, places))
    middle = places.frames[len(places.frames) // 2]
    answer = record.answer
    return ReportedImage(
        source=source,
        answer=ReportedAnswer(
            frame=lesions[0].measured_frame if lesions else middle,
            decision=record.decision,
            probabilities=probabilities_of(record),
            calibrated=answer is not None,
            possible=() if answer is None else answer.possible,
            remarks=record.remarks,
        ),
        lesions=lesions,
        slices=places,
    )


def _as_predicted(places: SlicePlaces, record: VolumeRecord) -> SlicePlaces:
    """With the voxels that it was predicted with: where a person stated others, the file's positions do not hold."""
    spacing = record.geometry.spacing
    if spacing is None or np.allclose(spacing, places.spacing):
        return places
    depth, height, width = spacing
    return SlicePlaces(places.frames, (depth, height, width))


def _lesions(record: VolumeRecord, parts: NDArray[np.uint8], places: SlicePlaces) -> Iterator[ReportedLesion]:
    """The surest, in the order of the candidates; those of which nothing is drawn are none."""
    drawn = [(number, one) for number, one in enumerate(record.drawn.candidates, start=1) if one.found.voxels]
    for number, one in drawn[:MOST_LESIONS]:
        areas = (parts == number).sum(axis=(1, 2))
        described = one.descriptors
        yield ReportedLesion(
            number=number,
            masks=SliceMasks(parts, number, {places.frames[at]: int(at) for at in np.flatnonzero(areas)}),
            measured_frame=places.frames[int(areas.argmax())],
            certainty=one.found.score,
            suspected=record.answer is not None and bool(record.answer.suspected),
            touches_edge=None if described is None else described.touches_edge,
            unit=record.unit or "px",
            measured={"volume": one.found.volume_mm3} if described is None else described.values,
            words={} if described is None else described.words.by_name(),
        )
