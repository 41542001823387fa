"""What a DICOM file holds, in typed form: whose study, which fields of which frames, how large their pixels are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydicom.dataset import Dataset
from pydicom.uid import UID

from bustle.core.errors import InputError
from bustle.core.types import Box
from bustle.io.dicom.frames import Frames, open_frames
from bustle.io.dicom.header import REPLACE, Header, items, numbers, read_header, strictly, text
from bustle.io.dicom.own_results import is_result
from bustle.io.dicom.pseudonyms import pseudonym
from bustle.io.dicom.regions import Region, plausible, regions_of
from bustle.io.dicom.transfer_syntaxes import name_of

ENHANCED_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"

_PICTURES = {
    "1.2.840.10008.5.1.4.1.1.6.1",  # Ultrasound Image, and its retired form
    "1.2.840.10008.5.1.4.1.1.6",
    "1.2.840.10008.5.1.4.1.1.3.1",  # Ultrasound Multi-frame Image, and its retired form
    "1.2.840.10008.5.1.4.1.1.3",
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture, and its multi-frame forms
    "1.2.840.10008.5.1.4.1.1.7.2",
    "1.2.840.10008.5.1.4.1.1.7.3",
    "1.2.840.10008.5.1.4.1.1.7.4",
}
RECEIVED_CLASSES = (*sorted(_PICTURES), ENHANCED_VOLUME)
"""The SOP classes of what is read."""

TALL_PIXELS = "its pixels are {aspect:g} times as high as wide, and of unknown size"
READ = "ultrasound images, clips and volumes and secondary captures are read"

_DEVICE = ("Manufacturer", "ManufacturerModelName")

Laterality = Literal["left", "right", "both"]
_LATERALITIES: Mapping[str, Laterality] = {"L": "left", "R": "right", "B": "both"}

SpacingSource = Literal["regions", "PixelSpacing", "ImagerPixelSpacing"]
_SPACING_TAGS: tuple[SpacingSource, ...] = ("PixelSpacing", "ImagerPixelSpacing")


@dataclass(frozen=True)
class Field:
    """A part of each frame that is a picture of its own: one B-mode region, or the whole frame.

    `number` counts from 1, from the left. `spacing` is the (row, column) size of a pixel in mm, None if unknown.
    """

    number: int
    box: Box
    spacing: tuple[float, float] | None
    spacing_source: SpacingSource | None


@dataclass(frozen=True, kw_only=True)
class DicomImage:
    """One DICOM file of pictures.

    `patient` stands for the patient's number, or for the study where there is none, which `patient_known` tells; a
    name is never read. `device` is the maker and the model. `size` is (rows, columns) of a frame, `aspect` the height
    of a pixel in widths. `regions` are all that the file states, with the reason why some are not looked at; `fields`
    are what is. `is_volume` says that the frames are the slices of a volume. `remarks` are what a reader must know.
    """

    path: Path
    sop_class: str
    sop_uid: str
    study_uid: str
    series_uid: str
    patient: str
    patient_known: bool
    laterality: Laterality | None
    device: str | None
    transfer_syntax: str
    photometric: str
    size: tuple[int, int]
    frames: int
    aspect: float
    regions: tuple[Region, ...]
    fields: tuple[Field, ...]
    is_volume: bool
    remarks: tuple[str, ...]

    @property
    def spacing(self) -> tuple[float, float] | None:
        """That of the first field."""
        return self.fields[0].spacing


def read_dicom(path: Path) -> DicomImage:
    """What the file says of itself; no pixel is decoded.

    Raises `InputError` for a file that is no readable DICOM file, is of another kind than ultrasound pictures, shows
    no B-mode, lacks its identifiers, or declares pixels that it cannot hold.
    """
    path = Path(path)
    header = read_header(path)
    with strictly(path):
        _check_class(header)
        frames = open_frames(path)
        return _image(header, frames)


def _check_class(header: Header) -> None:
    uid = class_uid(header)
    if uid is None:
        raise InputError("does not say what it is (no SOP class)", remedy=REPLACE, path=header.path)
    if uid not in _PICTURES and uid != ENHANCED_VOLUME:
        name = UID(uid).name.removesuffix(" Storage") if UID(uid).is_valid else "something unknown"
        raise InputError(f"is of the kind {name}", remedy=f"leave it out; {READ}", path=header.path)
    if is_result(header.dataset):
        raise InputError("is a result of bustle, no picture of a device", remedy="leave it out", path=header.path)
    if header.pixels is None and items(header.dataset, "EncryptedAttributesSequence"):
        raise InputError("has encrypted pixels", remedy="decrypt it, or leave it out", path=header.path)


def class_uid(header: Header) -> str | None:
    return text(header.dataset, "SOPClassUID") or text(header.dataset.file_meta, "MediaStorageSOPClassUID")


def instance_uid(header: Header) -> str | None:
    return text(header.dataset, "SOPInstanceUID") or text(header.dataset.file_meta, "MediaStorageSOPInstanceUID")


def _image(header: Header, frames: Frames) -> DicomImage:
    from bustle.io.dicom.volume import is_stack

    dataset, path = header.dataset, header.path
    study = _uid(dataset, "StudyInstanceUID", header)
    patient = text(dataset, "PatientID")
    stated = regions_of(dataset, size=frames.size)
    is_volume = class_uid(header) == ENHANCED_VOLUME or (frames.count > 1 and is_stack(dataset))
    spacing, source = _stated_spacing(dataset)
    whole = Field(1, Box(0, 0, *frames.size), spacing, source)
    fields = (whole,) if is_volume else _fields(stated.fields, whole)
    if not fields or (not stated.fields and _shows_no_tissue(stated.regions) and not is_volume):
        shown = ", ".join(dict.fromkeys(region.content for region in stated.regions))
        raise InputError(f"shows {shown} and no B-mode", remedy="leave it out", path=path)
    aspect = _aspect(dataset)
    remarks = list(stated.remarks)
    if aspect != 1.0 and fields[0].spacing is None:
        remarks.append(TALL_PIXELS.format(aspect=aspect))
    return DicomImage(
        path=path,
        sop_class=UID(class_uid(header) or "").name,
        sop_uid=_instance(header),
        study_uid=study,
        series_uid=text(dataset, "SeriesInstanceUID") or "",
        patient=pseudonym(study, kind="study") if patient is None else pseudonym(patient, kind="patient"),
        patient_known=patient is not None,
        laterality=_laterality(dataset),
        device=" ".join(filter(None, (text(dataset, keyword) for keyword in _DEVICE))) or None,
        transfer_syntax=name_of(header.syntax),
        photometric=frames.photometric,
        size=frames.size,
        frames=frames.count,
        aspect=aspect,
        regions=stated.regions,
        fields=fields,
        is_volume=is_volume,
        remarks=tuple(remarks),
    )


def _uid(dataset: Dataset, keyword: str, header: Header) -> str:
    return _checked_uid(text(dataset, keyword), keyword, header)


def _instance(header: Header) -> str:
    return _checked_uid(instance_uid(header), "SOPInstanceUID", header)


def _checked_uid(found: str | None, keyword: str, header: Header) -> str:
    """It becomes the name of a folder: digits and points only, as the standard has it."""
    if found is None:
        raise InputError(f"lacks its {keyword}", remedy=REPLACE, path=header.path)
    if len(found) > 64 or not found.isascii() or not found.replace(".", "").isdigit() or ".." in found:
        raise InputError(f"has a {keyword} that is none", remedy=REPLACE, path=header.path)
    return found


def _shows_no_tissue(regions: tuple[Region, ...]) -> bool:
    """Whether regions with a size are stated and all of them show something else."""
    return any(region.box is not None for region in regions)


def _fields(regions: tuple[Region, ...], whole: Field) -> tuple[Field, ...]:
    if not regions:
        return (whole,)
    fields = []
    for number, region in enumerate(regions, start=1):
        assert region.box is not None
        fallback = (whole.spacing, whole.spacing_source)
        spacing, source = fallback if region.spacing is None else (region.spacing, "regions")
        fields.append(Field(number, region.box, spacing, source))
    return tuple(fields)


def _stated_spacing(dataset: Dataset) -> tuple[tuple[float, float] | None, SpacingSource | None]:
    """The pixels' size where no region says it: PixelSpacing, also of all frames' shared group, or the imager's."""
    measures = [
        measure
        for group in items(dataset, "SharedFunctionalGroupsSequence")
        for measure in items(group, "PixelMeasuresSequence")
    ]
    for keyword in _SPACING_TAGS:
        for place in (dataset, *measures):
            found = numbers(place, keyword)
            if len(found) == 2 and (spacing := plausible(found[0], found[1])) is not None:
                return spacing, keyword
    return None, None


def _aspect(dataset: Dataset) -> float:
    found = numbers(dataset, "PixelAspectRatio")
    return found[0] / found[1] if len(found) == 2 and min(found) > 0 else 1.0


def _laterality(dataset: Dataset) -> Laterality | None:
    stated = text(dataset, "ImageLaterality") or text(dataset, "Laterality")
    return None if stated is None else _LATERALITIES.get(stated.upper())
