"""What result objects say about a volume, from the files of its prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.data.prepared.orientation import Orientation
from bustle.inference.descriptors.describe import describe_lesions
from bustle.inference.descriptors.results import LesionDescriptors
from bustle.inference.prediction_files import RECORD, read_prediction
from bustle.inference.prediction_record import VolumeRecord, read_record
from bustle.inference.stored_prediction import StoredVolumeMask
from bustle.io.dicom.pictures import DicomPicture
from bustle.io.dicom.result_content import ReportedAnswer, ReportedImage, ReportedLesion, SlicePlaces
from bustle.io.dicom.source import SourceImage
from bustle.io.dicom.volume import read_dicom_volume, slice_places
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
    lesions = () if parts is None else tuple(_lesions(volume.picture.path, record, parts, places))
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


def _lesions(
    path: Path, record: VolumeRecord, parts: NDArray[np.uint8], places: SlicePlaces
) -> Iterator[ReportedLesion]:
    """The surest, in the order of the candidates; those of which nothing is drawn are none."""
    drawn = [(number, found) for number, found in enumerate(record.drawn.candidates, start=1) if found.voxels]
    kept = drawn[:MOST_LESIONS]
    described = _described(path, parts, record, numbers=[number for number, _ in kept]) if kept else {}
    for number, found in kept:
        areas = (parts == number).sum(axis=(1, 2))
        measured = described[number]
        yield ReportedLesion(
            number=number,
            masks=SliceMasks(parts, number, {places.frames[at]: int(at) for at in np.flatnonzero(areas)}),
            measured_frame=places.frames[int(areas.argmax())],
            certainty=found.score,
            suspected=record.answer is not None and bool(record.answer.suspected),
            touches_edge=measured.touches_edge,
            unit=measured.unit,
            measured=measured.values(),
            words=measured.words.by_name(),
        )


def _described(
    path: Path, parts: NDArray[np.uint8], record: VolumeRecord, *, numbers: list[int]
) -> dict[int, LesionDescriptors]:
    """The lesions measured on the voxels, along the axes of the convention."""
    voxels, geometry = read_dicom_volume(path)
    orientation = Orientation.of(geometry)
    spacing = record.geometry.spacing
    kept = orientation.from_stored(np.where(np.isin(parts, numbers), parts, 0))
    found = describe_lesions(
        orientation.from_stored(voxels),
        kept,
        spacing=None if spacing is None else orientation.reordered(spacing),
    )
    return dict(zip(_largest_first(kept, numbers), found, strict=True))


def _largest_first(parts: NDArray[np.uint8], numbers: list[int]) -> list[int]:
    """The lesions' numbers in the order in which `describe_lesions` measures them."""
    from scipy.ndimage import find_objects

    boxes = find_objects(parts)

    def size_and_place(number: int) -> tuple[int, list[int], list[int]]:
        box = boxes[number - 1]
        size = int((parts[box] == number).sum())
        return -size, [side.start for side in box], [side.stop for side in box]

    return sorted(numbers, key=size_and_place)
