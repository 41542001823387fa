"""Clips of any kind in one form: numbered frames, each decoded when it is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.files import sha256_of_file
from bustle.core.types import Case, Geometry
from bustle.data.blank_pictures import nothing_in
from bustle.inference.inputs import spacing_per_axis
from bustle.io.video import read_video_frame
from bustle.reading.study_answer import Side

if TYPE_CHECKING:
    from bustle.io.dicom.pictures import DicomPicture


@dataclass(frozen=True, kw_only=True)
class Place:
    """Whose a clip or image is: pseudonyms of study and patient, and the side; None where the files do not say it."""

    study: str | None = None
    patient: str | None = None
    side: Side | None = None


@dataclass(frozen=True, kw_only=True)
class Clip:
    """`name` is that of its folder; `numbers` are its frames' as its files count them, in their order.

    `files` are what it is decoded from, and `what` tells its part of them from others. `decode` gives the pixels of
    one frame, uint8 `C H W`; `spacing` (row, column) is their size in mm, None where it is unknown.
    """

    name: str
    place: Place
    numbers: tuple[int, ...]
    files: tuple[Path, ...]
    what: str
    decode: Callable[[int], NDArray[np.uint8]] = field(repr=False, compare=False)
    spacing: tuple[float, ...] | None
    dicom: DicomPicture | None = field(default=None, repr=False, compare=False)
    """Its first picture, of a DICOM file: the others are of its other frames."""

    @property
    def at_fault(self) -> Path | str:
        """What a person is told to look at where a frame cannot be read: its file, or the name of one with many."""
        return self.files[0] if len(self.files) == 1 else self.name

    @property
    def unit(self) -> Literal["mm", "px"]:
        return "px" if self.spacing is None else "mm"

    def frame(self, number: int) -> tuple[NDArray[np.uint8], Geometry]:
        """Decode one frame, and its grid. Raises `InputError` for one that is damaged or shows nothing."""
        image = self.decode(number)
        reason = nothing_in(image)
        if reason is not None:
            raise InputError(f"frame {number} holds no ultrasound: {reason}", remedy="leave it out")
        return image, Geometry(image.shape[1:], spacing=self.spacing)

    def digest(self) -> str:
        """Stands for the content of the files, the part of them and the spacing."""
        digest = hashlib.sha256(repr((self.what, self.numbers, self.spacing)).encode())
        for path in self.files:
            digest.update(bytes.fromhex(sha256_of_file(path)))
        return digest.hexdigest()


def clip_of_pictures(
    pictures: Sequence[DicomPicture], *, place: Place, spacing: tuple[float, ...] | None = None
) -> Clip:
    """One field of a DICOM file of several frames; its pictures are in the order of the frames.

    `spacing` (mm, one number or two) replaces what the file says, here and in what follows.
    """
    first = pictures[0]
    by_number = {picture.frame: picture for picture in pictures if picture.frame is not None}
    suffix = f"-{first.field.number}" if first.fields > 1 else ""

    def decode(number: int) -> NDArray[np.uint8]:
        from bustle.io.dicom.pictures import read_picture

        return read_picture(by_number[number])[0]

    return Clip(
        name=f"{first.sop_uid}{suffix}",
        place=place,
        numbers=tuple(by_number),
        files=(first.path,),
        what=f"field {tuple(first.field.box)}",
        decode=decode,
        spacing=_chosen(spacing, stated=first.field.spacing),
        dicom=first,
    )


def clip_of_video(path: Path, *, name: str, frames: int, spacing: tuple[float, ...] | None = None) -> Clip:
    """A video file; its frames are numbered from 0."""

    def decode(number: int) -> NDArray[np.uint8]:
        return read_video_frame(path, number=number)

    return Clip(
        name=name,
        place=Place(),
        numbers=tuple(range(frames)),
        files=(path,),
        what="video",
        decode=decode,
        spacing=_chosen(spacing, stated=None),
    )


def clip_of_cases(
    cases: Sequence[Case], *, name: str, place: Place, spacing: tuple[float, ...] | None = None
) -> Clip:
    """The frames of one video of a data set, in their order."""
    by_number = {case.frame: case for case in cases if case.frame is not None}

    def decode(number: int) -> NDArray[np.uint8]:
        return by_number[number].load().image

    return Clip(
        name=name,
        place=place,
        numbers=tuple(by_number),
        files=tuple(dict.fromkeys(case.files[0] for case in cases)),
        what="frames",
        decode=decode,
        spacing=_chosen(spacing, stated=cases[0].spacing),
    )


def _chosen(given: tuple[float, ...] | None, *, stated: tuple[float, ...] | None) -> tuple[float, ...] | None:
    return stated if given is None else spacing_per_axis(given, dims=2)
