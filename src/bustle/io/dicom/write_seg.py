"""Outlines as a Segmentation object: one binary segment a lesion, one frame for each frame that it is seen in.

Written on pydicom alone: highdicom 0.28 refuses a clip whose header has no frame of reference, as nearly all
ultrasound, and one way for images, clips and volumes is easier to trust than two. A frame says by its Derivation
Image which image, and which frame of a clip or a volume, it was drawn on; the standard asks for no position in space
of such frames (PS3.3, A.51.5), and a volume's have one where the source places them in the patient. highdicom's
reader, dcmtk and dciodvfy read what is written.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bustle.io.dicom.concepts import (
    ARTIFICIAL_INTELLIGENCE,
    BREAST,
    LEFT,
    LESION,
    MORPHOLOGICALLY_ABNORMAL,
    RIGHT,
    SEGMENTATION,
    SOURCE_OF_SEGMENTATION,
    Concept,
    ascii_text,
    code_item,
)
from bustle.io.dicom.result_content import Algorithm, ReportedImage, ReportedLesion, SlicePlaces
from bustle.io.dicom.result_identity import (
    NOT_FOR_DIAGNOSIS,
    OUTLINES,
    keep_of_picture,
    new_object,
    result_uid,
    tracking_uid,
)
from bustle.io.dicom.source import SourceImage

if TYPE_CHECKING:
    from pydicom import Dataset

COLOUR, SUSPECTED_COLOUR = (53855, 34936, 54436), (59031, 32510, 45943)
"""Recommended display values (CIELab, 0..65535 each): the yellow of bustle's outlines, and a paler one."""


@dataclass(frozen=True)
class LesionSegmentation:
    """The object, and where in it a lesion stands: frames (from 1) by the segment's number and the source's frame."""

    dataset: Dataset
    frames: Mapping[tuple[int, int], int]

    @property
    def sop_instance(self) -> str:
        return str(self.dataset.SOPInstanceUID)


def segment_lesions(
    image: ReportedImage, *, algorithm: Algorithm, number: int = 1, created: datetime.datetime
) -> LesionSegmentation | None:
    """The Segmentation of an image's lesions, None of an image without any: the standard knows no empty one.

    `number` is its place among the study's. Segments are numbered from 1 in the order of the lesions.
    """
    from pydicom import Dataset
    from pydicom.sequence import Sequence as Items
    from pydicom.uid import SegmentationStorage

    if not image.lesions:
        return None
    source = image.source
    made = new_object(
        OUTLINES, [source], algorithm=algorithm, sop_class=SegmentationStorage, number=number, created=created
    )
    keep_of_picture(made, source)
    if "FrameOfReferenceUID" in source.header:
        made.FrameOfReferenceUID = source.header.FrameOfReferenceUID
        made.PositionReferenceIndicator = source.header.get("PositionReferenceIndicator")
    made.ImageType = ["DERIVED", "PRIMARY"]
    made.ContentLabel = "LESIONS"
    made.ContentDescription = NOT_FOR_DIAGNOSIS
    made.ContentCreatorName = None
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.Rows, made.Columns = source.size
    made.BitsAllocated = made.BitsStored = 1
    made.HighBit = made.PixelRepresentation = 0
    made.SegmentationType = "BINARY"
    made.SegmentSequence = Items(
        _segment(place, lesion, source, algorithm) for place, lesion in enumerate(image.lesions, start=1)
    )
    order = _order(image)
    shown = [
        (segment, frame)
        for segment, lesion in enumerate(image.lesions, start=1)
        for frame in sorted(lesion.masks, key=order.__getitem__)
    ]
    _add_dimensions(made, image)
    made.SharedFunctionalGroupsSequence = Items([Dataset() if image.slices is None else _shared_groups(image.slices)])
    made.PerFrameFunctionalGroupsSequence = Items(
        _frame_groups(segment, frame, order[frame], image) for segment, frame in shown
    )
    made.NumberOfFrames = len(shown)
    made.ReferencedSeriesSequence = Items([_referenced_series(source)])
    made.PixelData = _packed((image.lesions[segment - 1].masks[frame] for segment, frame in shown), source.size)
    made["PixelData"].VR = "OB"
    return LesionSegmentation(made, {place: number for number, place in enumerate(shown, start=1)})


def _packed(masks: Iterable[NDArray[np.bool_]], size: tuple[int, int]) -> bytes:
    """Frames of single bits, one after the other without a gap; eight at a time end at a whole byte."""
    remaining, packed = iter(masks), bytearray()
    while some := list(itertools.islice(remaining, 8)):
        if any(mask.shape != size for mask in some):
            raise ValueError(f"masks must have the image's size {size}")
        packed += np.packbits(np.stack(some), bitorder="little").tobytes()
    return bytes(packed) + b"\0" * (len(packed) % 2)


def _segment(place: int, lesion: ReportedLesion, source: SourceImage, algorithm: Algorithm) -> Dataset:
    from pydicom import Dataset
    from pydicom.sequence import Sequence as Items

    made = Dataset()
    made.SegmentNumber = place
    made.SegmentLabel = lesion.label
    made.SegmentDescription = ("May be no lesion. " if lesion.suspected else "") + NOT_FOR_DIAGNOSIS
    made.SegmentAlgorithmType = "SEMIAUTOMATIC" if algorithm.corrected else "AUTOMATIC"
    made.SegmentAlgorithmName = ascii_text(algorithm.name, at_most=64)
    made.SegmentedPropertyCategoryCodeSequence = Items([code_item(MORPHOLOGICALLY_ABNORMAL)])
    made.SegmentedPropertyTypeCodeSequence = Items([code_item(LESION)])
    region = code_item(BREAST)
    side = side_of(source)
    if side is not None:
        region.AnatomicRegionModifierSequence = Items([code_item(side)])
    made.AnatomicRegionSequence = Items([region])
    made.TrackingID = lesion.label
    made.TrackingUID = tracking_uid(
        source.sop_instance, field=lesion.field, number=lesion.number, algorithm=algorithm
    )
    made.RecommendedDisplayCIELabValue = list(SUSPECTED_COLOUR if lesion.suspected else COLOUR)
    identification = Dataset()
    identification.AlgorithmFamilyCodeSequence = Items([code_item(ARTIFICIAL_INTELLIGENCE)])
    identification.AlgorithmName = ascii_text(algorithm.name, at_most=64)
    identification.AlgorithmVersion = algorithm.full_version
    made.SegmentationAlgorithmIdentificationSequence = Items([identification])
    return made


def side_of(source: SourceImage) -> Concept | None:
    """Left or right, where the header says the side of the breast."""
    said = source.header.get("ImageLaterality") or source.header.get("Laterality")
    return {"L": LEFT, "R": RIGHT}.get(said or "")


def _order(image: ReportedImage) -> dict[int, int]:
    """The place (from 1) of each frame among those with a lesion: of a clip by time, of a volume by its slices."""
    seen = {frame for lesion in image.lesions for frame in lesion.masks}
    among = sorted(seen) if image.slices is None else [frame for frame in image.slices.frames if frame in seen]
    return {frame: place for place, frame in enumerate(among, start=1)}


def _shared_groups(slices: SlicePlaces) -> Dataset:
    """The size of a volume's voxels, and its axes where it lies in the patient."""
    from pydicom import Dataset
    from pydicom.sequence import Sequence as Items

    measures = Dataset()
    between, *measures.PixelSpacing = _decimals(slices.spacing)
    measures.SliceThickness = measures.SpacingBetweenSlices = between
    groups = Dataset()
    groups.PixelMeasuresSequence = Items([measures])
    if slices.positions is not None:
        orientation = Dataset()
        orientation.ImageOrientationPatient = _decimals(slices.axes or ())
        groups.PlaneOrientationSequence = Items([orientation])
    return groups


def _decimals(values: Iterable[float]) -> list[float]:
    """Numbers that a decimal string of DICOM holds in its 16 characters."""
    return [float(f"{value:.8g}") for value in values]


def _add_dimensions(made: Dataset, image: ReportedImage) -> None:
    """Frames are ordered by segment and by the source's frame: of a clip in time, of a volume in its stack."""
    from pydicom import Dataset
    from pydicom.datadict import tag_for_keyword
    from pydicom.sequence import Sequence as Items

    organization = result_uid("dimensions", made.SOPInstanceUID)
    pointers = [("ReferencedSegmentNumber", "SegmentIdentificationSequence", "Segment")]
    if image.slices is not None:
        pointers.append(("InStackPositionNumber", "FrameContentSequence", "Slice of the volume"))
    elif image.source.has_frames:
        pointers.append(("TemporalPositionIndex", "FrameContentSequence", "Frame of the clip"))
    items = []
    for attribute, group, label in pointers:
        item = Dataset()
        item.DimensionOrganizationUID = organization
        item.DimensionIndexPointer = tag_for_keyword(attribute)
        item.FunctionalGroupPointer = tag_for_keyword(group)
        item.DimensionDescriptionLabel = label
        items.append(item)
    stated = Dataset()
    stated.DimensionOrganizationUID = organization
    made.DimensionOrganizationSequence = Items([stated])
    made.DimensionIndexSequence = Items(items)


def _frame_groups(segment: int, frame: int, position: int, image: ReportedImage) -> Dataset:
    from pydicom import Dataset
    from pydicom.sequence import Sequence as Items

    source, slices = image.source, image.slices
    content = Dataset()
    content.DimensionIndexValues = [segment, position] if source.has_frames else segment
    if source.has_frames:
        content.FrameLabel = f"Frame {frame}"
    if slices is not None:
        content.StackID = "1"
        content.InStackPositionNumber = position
    elif source.has_frames:
        content.TemporalPositionIndex = frame
    identification = Dataset()
    identification.ReferencedSegmentNumber = segment
    reference = image_reference(source, [frame])
    reference.PurposeOfReferenceCodeSequence = Items([code_item(SOURCE_OF_SEGMENTATION)])
    derivation = Dataset()
    derivation.SourceImageSequence = Items([reference])
    derivation.DerivationCodeSequence = Items([code_item(SEGMENTATION)])
    groups = Dataset()
    groups.FrameContentSequence = Items([content])
    groups.SegmentIdentificationSequence = Items([identification])
    groups.DerivationImageSequence = Items([derivation])
    if slices is not None and slices.positions is not None:
        place = Dataset()
        place.ImagePositionPatient = _decimals(slices.positions[slices.frames.index(frame)])
        groups.PlanePositionSequence = Items([place])
    return groups


def image_reference(source: SourceImage, frames: Sequence[int]) -> Dataset:
    """A reference to an image, or to these frames of a clip or a volume."""
    from pydicom import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID = source.sop_class
    item.ReferencedSOPInstanceUID = source.sop_instance
    if source.has_frames:
        item.ReferencedFrameNumber = list(frames) if len(frames) > 1 else frames[0]
    return item


def _referenced_series(source: SourceImage) -> Dataset:
    from pydicom import Dataset
    from pydicom.sequence import Sequence as Items

    instance = Dataset()
    instance.ReferencedSOPClassUID = source.sop_class
    instance.ReferencedSOPInstanceUID = source.sop_instance
    series = Dataset()
    series.SeriesInstanceUID = source.header.SeriesInstanceUID
    series.ReferencedInstanceSequence = Items([instance])
    return series
