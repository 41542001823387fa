"""Pictures and pages, rendered elsewhere, as objects of a hospital's archive.

A key image holds the frame itself, untouched, and the marks in overlay planes (PS3.3, C.9.2): every viewer that shows
overlays can switch them off, and nothing is hidden below a line. A presentation state would leave the pixels where
they are, but many viewers ignore it, and a key image is for those that know neither Segmentation nor SR.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bustle.io.dicom.concepts import SOURCE_OF_SEGMENTATION, ascii_text, code_item
from bustle.io.dicom.result_content import Algorithm
from bustle.io.dicom.result_identity import (
    KEY_IMAGES,
    NOT_FOR_DIAGNOSIS,
    PAGE,
    keep_of_picture,
    new_object,
)
from bustle.io.dicom.source import SourceImage
from bustle.io.dicom.write_seg import image_reference

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True)
class Marks:
    """What is drawn over a picture, bool `H W` of its size; a viewer may show it or not under its `label`."""

    label: str
    pixels: NDArray[np.bool_]


def wrap_key_image(
    picture: NDArray[np.uint8],
    source: SourceImage,
    *,
    frame: int,
    marks: Sequence[Marks],
    caption: str,
    algorithm: Algorithm,
    number: int = 1,
    created: datetime.datetime,
) -> Dataset:
    """A Secondary Capture of a frame (from 1), its pixels uint8 `C H W` (grey or RGB), with its marks as overlays.

    `caption` says the answer in one line, `number` is its place in the series.
    """
    from pydicom.sequence import Sequence as Items
    from pydicom.uid import SecondaryCaptureImageStorage

    made = new_object(
        KEY_IMAGES,
        [source],
        algorithm=algorithm,
        sop_class=SecondaryCaptureImageStorage,
        number=number,
        created=created,
    )
    made.ConversionType = "WSD"
    made.ImageType = ["DERIVED", "SECONDARY"]
    keep_of_picture(made, source)
    made.DerivationDescription = f"Frame {frame}, its pixels unchanged; outlines and answer as overlays"
    made.ImageComments = ascii_text(f"{NOT_FOR_DIAGNOSIS} {caption}", at_most=1024)
    made.Laterality = None
    for name in ("BurnedInAnnotation", "Laterality", "ImageLaterality", "PixelSpacing"):
        if name in source.header:
            made[name] = source.header[name]
    reference = image_reference(source, [frame])
    reference.PurposeOfReferenceCodeSequence = Items([code_item(SOURCE_OF_SEGMENTATION)])
    made.SourceImageSequence = Items([reference])
    channels, made.Rows, made.Columns = picture.shape
    made.SamplesPerPixel = channels
    made.PhotometricInterpretation = "MONOCHROME2" if channels == 1 else "RGB"
    if channels > 1:
        made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    content = np.ascontiguousarray(picture.transpose(1, 2, 0)).tobytes()
    made.PixelData = content + b"\0" * (len(content) % 2)
    made["PixelData"].VR = "OB"
    for place, each in enumerate(marks):
        _add_overlay(made, 0x6000 + 2 * place, each)
    return made


def _add_overlay(made: Dataset, group: int, marks: Marks) -> None:
    """One overlay plane of type graphics; its bits begin with the lowest of each byte."""
    bits = np.packbits(marks.pixels.ravel(), bitorder="little").tobytes()
    rows, columns = marks.pixels.shape
    made.add_new((group, 0x0010), "US", rows)
    made.add_new((group, 0x0011), "US", columns)
    made.add_new((group, 0x0022), "LO", marks.label)
    made.add_new((group, 0x0040), "CS", "G")
    made.add_new((group, 0x0050), "SS", [1, 1])
    made.add_new((group, 0x0100), "US", 1)
    made.add_new((group, 0x0102), "US", 0)
    made.add_new((group, 0x1500), "LO", marks.label)
    made.add_new((group, 0x3000), "OW", bits + b"\0" * (len(bits) % 2))


def wrap_page(
    pdf: bytes,
    sources: Sequence[SourceImage],
    *,
    title: str,
    algorithm: Algorithm,
    created: datetime.datetime,
) -> Dataset:
    """A page of results about images of one study as an Encapsulated PDF."""
    from pydicom.sequence import Sequence as Items
    from pydicom.uid import EncapsulatedPDFStorage

    made = new_object(PAGE, sources, algorithm=algorithm, sop_class=EncapsulatedPDFStorage, number=1, created=created)
    made.ConversionType = "WSD"
    made.BurnedInAnnotation = "YES"
    made.DocumentTitle = ascii_text(title, at_most=1024)
    made.ConceptNameCodeSequence = Items([])
    made.AcquisitionDateTime = None
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.SourceInstanceSequence = Items([_instance(source) for source in sources])
    made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    made.EncapsulatedDocumentLength = len(pdf)
    return made


def _instance(source: SourceImage) -> Dataset:
    from pydicom import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID = source.sop_class
    item.ReferencedSOPInstanceUID = source.sop_instance
    return item
