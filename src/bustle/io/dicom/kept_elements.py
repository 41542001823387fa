"""What stays of a DICOM file when it is de-identified: a list of what is needed and harmless, nothing else.

The basic profile of PS3.15 (table E.1-1) lists what must go, several hundred elements, more in each edition, and
every private one. Here everything goes that is not listed, at any depth, so that a new element is never forgotten.
Numbers, codes and the picture's geometry stay; of text, only the maker and the model.
"""

from __future__ import annotations

_PIXELS = """
    SamplesPerPixel PhotometricInterpretation PlanarConfiguration Rows Columns NumberOfFrames BitsAllocated BitsStored
    HighBit PixelRepresentation PixelAspectRatio PixelSpacing ImagerPixelSpacing SpacingBetweenSlices SliceThickness
    RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor
    RedPaletteColorLookupTableData GreenPaletteColorLookupTableData BluePaletteColorLookupTableData
    SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData
    SegmentedBluePaletteColorLookupTableData
    WindowCenter WindowWidth VOILUTFunction RescaleSlope RescaleIntercept PresentationLUTShape
    ModalityLUTSequence VOILUTSequence LUTDescriptor LUTData
    LossyImageCompression LossyImageCompressionRatio LossyImageCompressionMethod
"""

_TIME = "FrameIncrementPointer FrameTime FrameTimeVector CineRate RecommendedDisplayFrameRate StartTrim StopTrim"

_REGIONS = """
    SequenceOfUltrasoundRegions RegionSpatialFormat RegionDataType RegionFlags RegionLocationMinX0 RegionLocationMinY0
    RegionLocationMaxX1 RegionLocationMaxY1 ReferencePixelX0 ReferencePixelY0 PhysicalUnitsXDirection
    PhysicalUnitsYDirection ReferencePixelPhysicalValueX ReferencePixelPhysicalValueY PhysicalDeltaX PhysicalDeltaY
    TransducerFrequency
"""

_PLACES = """
    ImageOrientationPatient ImagePositionPatient SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence
    PixelMeasuresSequence PlanePositionSequence PlaneOrientationSequence PlanePositionVolumeSequence
    PlaneOrientationVolumeSequence ImagePositionVolume ImageOrientationVolume FrameContentSequence
    TemporalPositionIndex ImageDataTypeSequence DataType USImageDescriptionSequence
"""

_WHAT = """
    SOPClassUID Modality ImageType Laterality ImageLaterality BodyPartExamined SeriesNumber InstanceNumber
    UltrasoundColorDataPresent MechanicalIndex BoneThermalIndex SoftTissueThermalIndex CranialThermalIndex
    DepthOfScanField Manufacturer ManufacturerModelName
"""

KEPT = frozenset(f"{_PIXELS} {_TIME} {_REGIONS} {_PLACES} {_WHAT}".split())
"""Keywords of the elements that stay as they are."""

NEW_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
"""Identifiers that are replaced, the same by the same."""

EMPTY = (
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientBirthDate",
    "PatientSex",
    "PatientOrientation",
)
"""Elements that must be there and may be empty (type 2)."""

EMPTY_IF_ABSENT = ("SeriesNumber", "InstanceNumber", "ImageType", "Manufacturer", "Laterality")
"""The same, of those that stay."""

IDENTIFYING = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "OtherPatientIDs",
    "OtherPatientNames",
    "PatientBirthName",
    "PatientMotherBirthName",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "OperatorsName",
    "InstitutionName",
    "InstitutionAddress",
    "StationName",
    "StudyID",
)
"""What must not be found again in any element that stays."""
