"""Volumes as DICOM files: Enhanced US Volume, and the clips in which breast scanners keep their slices.

Axes are (slice, row, column) `D H W`. The world is DICOM's, which is ITK's too: x to the left, y to the back, z up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from bustle.core.errors import InputError
from bustle.core.memory import available_memory
from bustle.core.types import Geometry
from bustle.io.dicom.frames import Frames, open_frames
from bustle.io.dicom.header import items, number, numbers, strictly, text
from bustle.io.dicom.regions import plausible, regions_of
from bustle.io.dicom.result_content import SlicePlaces
from bustle.io.volume import MAX_VOXELS, MIN_SIDE
from bustle.io.volume_files.stored_volume import IDENTITY

_TIMES = ("FrameTime", "FrameTimeVector", "CineRate", "RecommendedDisplayFrameRate")
_AXES_IN_PATIENT = ("PlaneOrientationSequence", "ImageOrientationPatient")
_AXES = (("PlaneOrientationVolumeSequence", "ImageOrientationVolume"), _AXES_IN_PATIENT)
_PLACE_IN_PATIENT = ("PlanePositionSequence", "ImagePositionPatient")
_PLACES = (("PlanePositionVolumeSequence", "ImagePositionVolume"), _PLACE_IN_PATIENT)
_UNEVEN = 0.02
"""By how much steps between slices may differ from their median."""

_STRAIGHT = 1e-3


def is_stack(dataset: Dataset) -> bool:
    """Whether the frames of a clip are slices: it says how far apart they are, and nothing of time."""
    apart = number(dataset, "SpacingBetweenSlices") or _measure(dataset, "SpacingBetweenSlices")
    return bool(apart) and all(text(dataset, keyword) is None for keyword in _TIMES)


def read_dicom_volume(path: Path) -> tuple[NDArray[np.uint8], Geometry]:
    """Intensities uint8 `D H W`, colours as the mean of their channels, and their place in the world.

    Of a volume with several kinds of data, such as colour flow, the slices of tissue are taken. Raises `InputError`
    for slices that are not evenly spaced, or that state no size, and for a file that cannot be read.
    """
    frames = open_frames(path)
    with strictly(path):
        numbers_of_slices, geometry = _grid(frames)
        voxels = int(np.prod(geometry.original_size))
        free = available_memory()
        if voxels > MAX_VOXELS or (free is not None and 2 * voxels > free):
            raise InputError(
                f"holds {voxels / 1e9:.1f} GB of voxels, more than can be read here",
                remedy="use a larger machine, or resample the volume",
                path=path,
            )
    volume = np.empty(geometry.original_size, np.uint8)
    for place, frame in enumerate(numbers_of_slices):
        picture = frames.picture(frame)
        volume[place] = picture[0] if picture.shape[0] == 1 else picture.mean(axis=0).round()
    return volume, geometry


def volume_geometry(path: Path) -> Geometry:
    """The grid of a volume; no pixel is decoded. Raises `InputError` as `read_dicom_volume` does."""
    with strictly(path):
        return _grid(open_frames(path))[1]


def slice_places(path: Path) -> SlicePlaces:
    """Which frames are the slices of a volume, and where the patient's coordinates have them.

    No pixel is decoded. Raises `InputError` as `read_dicom_volume` does.
    """
    with strictly(path):
        frames = open_frames(path)
        kept, geometry = _grid(frames)
        dataset = frames.header.dataset
        per_frame = items(dataset, "PerFrameFunctionalGroupsSequence")
        assert geometry.spacing is not None
        depth, height, width = geometry.spacing
        places = SlicePlaces(tuple(kept), (depth, height, width))
        axes = _axes(dataset, per_frame, stated=[_AXES_IN_PATIENT])
        found = _places(per_frame, kept, stated=[_PLACE_IN_PATIENT])
        if axes is None or found is None or text(dataset, "FrameOfReferenceUID") is None:
            return places
        return replace(
            places,
            axes=tuple(map(float, axes.ravel())),
            positions=tuple((float(x), float(y), float(z)) for x, y, z in found),
        )


def _grid(frames: Frames) -> tuple[list[int], Geometry]:
    """The frames in the order of their slices, and the grid that they make."""
    dataset, path = frames.header.dataset, frames.header.path
    per_frame = items(dataset, "PerFrameFunctionalGroupsSequence")
    kept = _of_tissue(per_frame) or list(range(1, frames.count + 1))
    if len(kept) < MIN_SIDE:
        raise InputError(f"has {len(kept)} slices", remedy="give a volume with several slices", path=path)
    pixels = _in_plane(frames, per_frame)
    if pixels is None:
        raise InputError(
            "states no size of its voxels", remedy="leave it out, or convert it with its spacing", path=path
        )
    axes = _axes(dataset, per_frame, stated=_AXES)
    places = _places(per_frame, kept, stated=_PLACES) if axes is not None else None
    step = number(dataset, "SpacingBetweenSlices") or _measure(dataset, "SpacingBetweenSlices")
    origin, direction = (0.0, 0.0, 0.0), IDENTITY
    if axes is not None:
        normal = np.cross(axes[0], axes[1])
        if places is not None:
            along = places @ normal
            order = np.argsort(along, kind="stable")
            steps = np.diff(along[order])
            middle = float(np.median(steps))
            if middle <= 0 or np.abs(steps - middle).max() > _UNEVEN * middle:
                raise InputError("has slices that are not evenly spaced", remedy="resample it", path=path)
            kept, step = [kept[place] for place in order], middle
            origin = tuple(map(float, places[order[0]]))
        else:
            found = numbers(dataset, "ImagePositionPatient")
            origin = found if len(found) == 3 else origin
        direction = tuple(map(float, np.stack([axes[0], axes[1], normal], axis=1).ravel()))
    if step is None or not plausible(abs(step), abs(step)):
        raise InputError(
            "states no distance of its slices", remedy="leave it out, or convert it with its spacing", path=path
        )
    return kept, Geometry((len(kept), *frames.size), (abs(step), *pixels), origin, direction)


def _of_tissue(groups: tuple[Dataset, ...]) -> list[int]:
    """The frames that show tissue, at the first time where there are several times; none where nothing says it."""
    kinds: list[tuple[str, int]] = []
    for group in groups:
        kind = next((text(item, "DataType") for item in items(group, "ImageDataTypeSequence")), None)
        content = items(group, "FrameContentSequence")
        time = next((number(item, "TemporalPositionIndex") for item in content), None)
        kinds.append((kind or "TISSUE_INTENSITY", int(time or 0)))
    times = [time for kind, time in kinds if kind == "TISSUE_INTENSITY"]
    if not times:
        return []
    return [place for place, found in enumerate(kinds, start=1) if found == ("TISSUE_INTENSITY", min(times))]


def _in_plane(frames: Frames, per_frame: tuple[Dataset, ...]) -> tuple[float, float] | None:
    """The (row, column) size of a slice's pixels in mm; where it is not stated, that of the first region."""
    dataset = frames.header.dataset
    shared = items(dataset, "SharedFunctionalGroupsSequence")
    measures = [item for group in (*shared, *per_frame[:1]) for item in items(group, "PixelMeasuresSequence")]
    for place in (*measures, dataset):
        found = numbers(place, "PixelSpacing")
        if len(found) == 2 and (spacing := plausible(found[0], found[1])) is not None:
            return spacing
    fields = regions_of(dataset, size=frames.size).fields
    return fields[0].spacing if fields else None


def _measure(dataset: Dataset, keyword: str) -> float | None:
    for group in items(dataset, "SharedFunctionalGroupsSequence"):
        for item in items(group, "PixelMeasuresSequence"):
            if (found := number(item, keyword)) is not None:
                return found
    return None


def _axes(
    dataset: Dataset, per_frame: tuple[Dataset, ...], *, stated: Sequence[tuple[str, str]]
) -> NDArray[np.float64] | None:
    """The directions of columns and of rows, `2 3`; None where they are not stated or do not stand upright."""
    groups = (*items(dataset, "SharedFunctionalGroupsSequence"), *per_frame[:1])
    candidates = [
        numbers(item, keyword) for sequence, keyword in stated for group in groups for item in items(group, sequence)
    ]
    for found in (*candidates, numbers(dataset, "ImageOrientationPatient")):
        if len(found) == 6:
            axes = np.array(found, np.float64).reshape(2, 3)
            if np.allclose(axes @ axes.T, np.eye(2), atol=_STRAIGHT):
                return axes
    return None


def _places(
    per_frame: tuple[Dataset, ...], kept: list[int], *, stated: Sequence[tuple[str, str]]
) -> NDArray[np.float64] | None:
    """Where the first voxel of each kept slice lies, `N 3` in mm; None where not all say it."""
    for sequence, keyword in stated:
        found = [
            next((numbers(item, keyword) for item in items(per_frame[frame - 1], sequence)), ())
            for frame in kept
            if frame <= len(per_frame)
        ]
        if len(found) == len(kept) and all(len(place) == 3 for place in found):
            return np.array(found, np.float64)
    return None
