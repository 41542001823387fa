"""Ultrasound images as a device stores them, made with pydicom around pixels of the tests' own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

STUDY, SERIES = "2.25.20261129", "2.25.20261130"


def ultrasound(frames: NDArray[np.uint8], *, number: int = 1, changes: Mapping[str, Any] | None = None) -> Dataset:
    """A grey US Image of pixels `H W`, or a US Multi-frame Image of `N H W`, of one made-up woman's left breast.

    Both are complete by the standard. `number` tells images of the study apart; `changes` are made to attributes,
    None deletes one.
    """
    is_clip = frames.ndim == 3
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.ImageType = ["ORIGINAL", "PRIMARY", "BREAST"]
    made.SOPClassUID = UltrasoundMultiFrameImageStorage if is_clip else UltrasoundImageStorage
    made.SOPInstanceUID = f"2.25.202611290{number}"
    made.StudyDate = made.SeriesDate = made.ContentDate = "20260102"
    made.StudyTime = made.SeriesTime = made.ContentTime = "101112"
    made.AccessionNumber = "ACC-7"
    made.Modality = "US"
    made.Manufacturer = "Made-up devices"
    made.ReferringPhysicianName = "Doe^Jane"
    made.PatientName = "Müller^Änne"
    made.PatientID = "PAT-0815"
    made.PatientBirthDate = "19700101"
    made.PatientSex = "F"
    made.StudyInstanceUID, made.SeriesInstanceUID = STUDY, SERIES
    made.StudyID, made.SeriesNumber, made.InstanceNumber = "S1", 1, number
    made.Laterality = "L"
    made.PatientOrientation = None
    made.LossyImageCompression = "00"
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.Rows, made.Columns = frames.shape[-2:]
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = made.Columns - 1, made.Rows - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.008
    made.SequenceOfUltrasoundRegions = [region]
    if is_clip:
        made.NumberOfFrames = len(frames)
        made.FrameIncrementPointer = 0x00181063
        made.FrameTime = 40
    made.PixelData = frames.tobytes() + b"\0" * (frames.size % 2)
    made["PixelData"].VR = "OB"
    for name, value in (changes or {}).items():
        if value is None:
            del made[name]
        else:
            setattr(made, name, value)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def write_ultrasound(
    path: Path, frames: NDArray[np.uint8], *, number: int = 1, changes: Mapping[str, Any] | None = None
) -> Path:
    """The same as a file."""
    ultrasound(frames, number=number, changes=changes).save_as(path, enforce_file_format=True)
    return path
