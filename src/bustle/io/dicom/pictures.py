"""The pictures of a study's DICOM files: one a field and frame, or one a volume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.files import sha256_of_file
from bustle.core.types import Geometry
from bustle.io.dicom.frames import open_frames
from bustle.io.dicom.image import DicomImage, Field, read_dicom
from bustle.io.dicom.volume import read_dicom_volume


@dataclass(frozen=True)
class DicomPicture:
    """Which picture of which file; `frame` counts from 1 as in DICOM, None for a volume. It is picklable."""

    path: Path
    sop_uid: str
    frame: int | None
    field: Field
    fields: int

    @property
    def name(self) -> str:
        """`<SOPInstanceUID>#<frame>`, with `-<field>` where a frame shows several; a volume's is the UID alone."""
        frame = "" if self.frame is None else f"#{self.frame}"
        return f"{self.sop_uid}{frame}" + (f"-{self.field.number}" if self.fields > 1 else "")


def pictures_of(image: DicomImage) -> Iterator[DicomPicture]:
    """Every picture of a file, frame by frame."""
    if image.is_volume:
        yield DicomPicture(image.path, image.sop_uid, None, image.fields[0], 1)
        return
    for frame in range(1, image.frames + 1):
        for field in image.fields:
            yield DicomPicture(image.path, image.sop_uid, frame, field, len(image.fields))


def read_picture(picture: DicomPicture) -> tuple[NDArray[np.uint8], Geometry]:
    """Decode one picture, uint8 `C H W` of the field alone, or `1 D H W` of a volume, and its grid.

    Raises `InputError` for a frame that is damaged.
    """
    if picture.frame is None:
        voxels, geometry = read_dicom_volume(picture.path)
        return voxels[None], geometry
    box = picture.field.box
    frame = open_frames(picture.path).picture(picture.frame)
    pixels = frame[:, box.y_start : box.y_stop, box.x_start : box.x_stop]
    return np.ascontiguousarray(pixels), Geometry(pixels.shape[1:], spacing=picture.field.spacing)


def read_study(paths: Iterable[Path]) -> Iterator[tuple[Path, DicomImage | InputError | None]]:
    """Each file and what it holds, or why it is not read; None for a copy of a file that came before.

    A file with the identifier of another and other content is refused: one of them is not what it says.
    """
    first: dict[str, Path] = {}
    for path in paths:
        try:
            image = read_dicom(path)
            before = first.setdefault(image.sop_uid, path)
            yield path, image if before is path else _copy_of(path, before)
        except InputError as error:
            yield path, error


def _copy_of(path: Path, before: Path) -> None:
    if sha256_of_file(path) != sha256_of_file(before):
        raise InputError(
            "has the SOPInstanceUID of another file and another content",
            remedy="find out which of the two is right, and leave the other out",
            path=path,
        )
