"""A DICOM file without its patient: a new file of what `kept_elements` lists, with text in the picture blanked.

Where B-mode regions are stated, all outside of them is blanked. Where none are, what is found beside the tissue is.
The written file is read again, and what was not proven to be gone is reported, never passed over.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import rle
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import RLELossless

from bustle.core.files import atomic_path
from bustle.core.provenance import installed_version
from bustle.io.dicom.frames import Frames, open_frames
from bustle.io.dicom.header import read_header, strictly, text
from bustle.io.dicom.image import DicomImage, class_uid, instance_uid
from bustle.io.dicom.kept_elements import EMPTY, EMPTY_IF_ABSENT, IDENTIFYING, KEPT, NEW_UIDS
from bustle.io.dicom.pseudonyms import replaced_uid
from bustle.io.dicom.quiet_pydicom import quiet_pydicom

Find = Callable[[NDArray[np.uint8]], NDArray[np.bool_]]
"""What is found in a picture uint8 `C H W`, as bool `H W`."""

_PROFILE = ("113100", "DCM", "Basic Application Confidentiality Profile")
_SHORTEST_WORD = 3


@dataclass(frozen=True)
class CleanedFile:
    """What became of one file, without a word of what was in it.

    `regions_stated` says that all outside of B-mode regions is blank. `blanked` is the share of all pixels that were
    blanked. `marked_frames` still show something like text, `dropped` elements stated what had to go.
    """

    path: Path
    frames: int
    regions_stated: bool
    blanked: float
    marked_frames: tuple[int, ...]
    dropped: int


def deidentify(image: DicomImage, folder: Path, *, beside_tissue: Find, marks: Find) -> CleanedFile:
    """Write `folder/<study>/<series>/<instance>.dcm`, named by its new identifiers, and read it again.

    `beside_tissue` finds what is blanked where no region is stated, `marks` what may be text in the written pictures.
    Raises `InputError` for a frame that is damaged, and where the file cannot be written.
    """
    header = read_header(image.path)
    frames = open_frames(image.path)
    with strictly(image.path):
        made, dropped = _clean_elements(header.dataset, image)
        _describe_pixels(made, frames)
        made.SOPClassUID = class_uid(header)
        made.SOPInstanceUID = replaced_uid(instance_uid(header) or "")
    path = folder / made.StudyInstanceUID / made.SeriesInstanceUID / f"{made.SOPInstanceUID}.dcm"
    boxes = _Outside(image)
    with atomic_path(path) as temporary, quiet_pydicom():
        _write_head(temporary, made)
        with temporary.open("ab") as stream:
            _write_frames(stream, _blanked_frames(frames, boxes, beside_tissue))
    marked = tuple(_marked_frames(path, boxes, marks))
    return CleanedFile(
        path=path,
        frames=frames.count,
        regions_stated=boxes.stated,
        blanked=boxes.blanked / (frames.count * frames.size[0] * frames.size[1]),
        marked_frames=marked,
        dropped=dropped,
    )


class _Outside:
    """What lies outside of a picture's B-mode regions, bool `H W`, and how many pixels were blanked."""

    def __init__(self, image: DicomImage):
        self.stated = any(region.ignored is None for region in image.regions)
        self.mask = np.full(image.size, self.stated)
        for field in image.fields if self.stated else ():
            box = field.box
            self.mask[box.y_start : box.y_stop, box.x_start : box.x_stop] = False
        self.blanked = 0


def _clean_elements(dataset: Dataset, image: DicomImage) -> tuple[Dataset, int]:
    """The elements that stay, new identifiers, and how many elements were dropped because they named the patient."""
    words = _identifying_words(dataset)
    made, dropped = _kept(dataset, words)
    for keyword in NEW_UIDS:
        found = text(dataset, keyword)
        if found is not None:
            setattr(made, keyword, replaced_uid(found))
    if "SeriesInstanceUID" not in made:
        made.SeriesInstanceUID = replaced_uid(f"series of {image.study_uid}")
    for keyword in EMPTY:
        setattr(made, keyword, "")
    for keyword in EMPTY_IF_ABSENT:
        if keyword not in made:
            setattr(made, keyword, None)
    if "FrameTime" in made and "FrameIncrementPointer" not in made:
        made.FrameIncrementPointer = tag_for_keyword("FrameTime")
    made.PatientID = made.PatientName = image.patient
    made.PatientIdentityRemoved = "YES"
    made.DeidentificationMethod = f"bustle {installed_version() or ''}: only listed elements kept".replace(" :", ":")
    method = Dataset()
    method.CodeValue, method.CodingSchemeDesignator, method.CodeMeaning = _PROFILE
    made.DeidentificationMethodCodeSequence = [method]
    return made, dropped


def _identifying_words(dataset: Dataset) -> frozenset[str]:
    """Parts of names and numbers of at least three signs, in lower case."""
    found = (str(dataset.get(keyword, "")) for keyword in IDENTIFYING)
    parts = (part for value in found for part in re.split(r"[\W_]+", value.casefold()))
    return frozenset(part for part in parts if len(part) >= _SHORTEST_WORD)


def _kept(dataset: Dataset, words: frozenset[str]) -> tuple[Dataset, int]:
    made, dropped = Dataset(), 0
    for element in dataset:
        if element.keyword not in KEPT:
            continue
        if element.VR == "SQ":
            items = [_kept(item, words) for item in element.value]
            setattr(made, element.keyword, [item for item, _ in items])
            dropped += sum(count for _, count in items)
        elif _names(element.value, words) and element.VR in ("LO", "CS", "SH"):
            dropped += 1
        else:
            made.add(element)
    return made, dropped


def _names(value: Any, words: frozenset[str]) -> bool:
    parts = re.split(r"[\W_]+", str(value).casefold())
    return any(part in words for part in parts)


def _describe_pixels(made: Dataset, frames: Frames) -> None:
    """Colours become RGB of 8 bits, all other values stay as they are stored."""
    if frames.samples == 3:
        made.PhotometricInterpretation, made.PlanarConfiguration = "RGB", 1
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    else:
        made.BitsStored, made.HighBit = frames.stored_bits, frames.stored_bits - 1
    if frames.count > 1:
        made.NumberOfFrames = frames.count


def _write_head(path: Path, made: Dataset) -> None:
    """Everything before the pixel data, which are the last element."""
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = RLELossless
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.save_as(path, enforce_file_format=True)


def _write_frames(stream: BinaryIO, frames: Iterator[bytes]) -> None:
    """The pixel data element, one fragment a frame, with an empty offset table (PS3.5 A.4)."""
    stream.write(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0")
    for packed in frames:
        padded = packed + b"\0" * (len(packed) % 2)
        stream.write(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(padded)) + padded)
    stream.write(b"\xfe\xff\xdd\xe0\0\0\0\0")


def _blanked_frames(frames: Frames, outside: _Outside, beside_tissue: Find) -> Iterator[bytes]:
    for number in range(1, frames.count + 1):
        blank = outside.mask if outside.stated else beside_tissue(frames.picture(number))
        outside.blanked += int(np.count_nonzero(blank))
        if frames.samples == 3:
            pixels = frames.colours(number).copy()
            pixels[blank] = 0
        else:
            pixels = frames.stored(number).copy()
            pixels[blank] = frames.darkest
        yield bytes(
            rle.encode_pixel_data(
                pixels.tobytes(),
                rows=pixels.shape[0],
                columns=pixels.shape[1],
                samples_per_pixel=frames.samples,
                bits_allocated=8 * pixels.dtype.itemsize,
                byteorder="<",
            )
        )


def _marked_frames(path: Path, outside: _Outside, marks: Find) -> Iterator[int]:
    """The frames of the written file that show marks, or anything at all outside of the regions."""
    frames = open_frames(path)
    for number in range(1, frames.count + 1):
        picture = frames.picture(number)
        shown = picture.max(axis=0)
        if (outside.stated and shown[outside.mask].any()) or marks(picture).any():
            yield number
