"""Two volumes of a made-up study, two bright balls in each: a scanner's slices, and an Enhanced US Volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from tests.io.dicom.made_ultrasound import ultrasound

from bustle.io.dicom.image import ENHANCED_VOLUME

SIZE, SPACING = (20, 40, 36), (2.0, 1.0, 1.0)
ORDER = np.random.default_rng(3).permutation(SIZE[0])
"""The slice that each frame of the Enhanced US Volume holds."""
FIRST_VOXEL = (-3.5, 4.25, 1 / 3)


def volume() -> np.ndarray:
    voxels = np.random.default_rng(0).integers(0, 60, SIZE, dtype=np.uint8)
    slices, rows, columns = np.indices(SIZE)
    for (at, row, column), radius in (((7, 14, 14), 8), ((14, 30, 27), 5)):
        voxels[(2 * (slices - at)) ** 2 + (rows - row) ** 2 + (columns - column) ** 2 < radius**2] = 240
    return voxels


def item(**elements: Any) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def write_volumes(folder: Path) -> tuple[str, str]:
    """Write both; returns their identifiers: of the slices without positions, and of those in the patient."""
    voxels = volume()
    plain = _of_slices(voxels, number=1, PixelSpacing=list(SPACING[1:]), SpacingBetweenSlices=SPACING[0])
    x, y, z = FIRST_VOXEL
    measures = item(PixelSpacing=list(SPACING[1:]), SliceThickness=SPACING[0])
    upright = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    placed = _of_slices(
        voxels[ORDER],
        number=2,
        SOPClassUID=ENHANCED_VOLUME,
        FrameOfReferenceUID="2.25.77",
        PositionReferenceIndicator="",
        SharedFunctionalGroupsSequence=[item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[upright])],
        PerFrameFunctionalGroupsSequence=[
            item(PlanePositionSequence=[item(ImagePositionPatient=[x, y, z + SPACING[0] * int(at)])]) for at in ORDER
        ],
    )
    for name, made in (("plain", plain), ("placed", placed)):
        made.save_as(folder / f"{name}.dcm", enforce_file_format=True)
    return plain.SOPInstanceUID, placed.SOPInstanceUID


def _of_slices(voxels: np.ndarray, *, number: int, **elements: Any) -> Dataset:
    nothing_of_time = dict.fromkeys(("FrameTime", "FrameIncrementPointer", "SequenceOfUltrasoundRegions"))
    return ultrasound(voxels, number=number, changes=nothing_of_time | elements)
