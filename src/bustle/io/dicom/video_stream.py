"""Frames of a DICOM file whose pixel data are an MPEG-2, H.264 or H.265 stream, as far as OpenCV decodes it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.io.dicom.transfer_syntaxes import name_of
from bustle.io.video import read_video_frame, video_size

if TYPE_CHECKING:
    from bustle.io.dicom.encapsulation import Fragment
    from bustle.io.dicom.header import Header

_CHUNK = 1 << 20


class VideoStream:
    """The stream, written to a file of its own for as long as it is used, because decoders want one."""

    def __init__(self, header: Header, fragments: tuple[Fragment, ...], *, frames: int, size: tuple[int, int]):
        """Raises `InputError` where it cannot be decoded or is not what the header declares."""
        self._path = header.path
        folder = Path(tempfile.mkdtemp(prefix="bustle-"))
        self._removed = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._file = folder / "stream.mpg"
        with header.opened() as stream, self._file.open("wb") as copy:
            for fragment in fragments:
                stream.seek(fragment.start)
                left = fragment.length
                while left and (chunk := stream.read(min(_CHUNK, left))):
                    copy.write(chunk)
                    left -= len(chunk)
        try:
            found = video_size(self._file)
        except InputError:
            raise InputError(
                f"is a video stored as {name_of(header.syntax)}, which cannot be decoded here",
                remedy="store its frames anew as JPEG 2000 or RLE, or leave it out",
                path=header.path,
            ) from None
        if (found.height, found.width) != size or found.frames < frames:
            raise InputError(
                f"declares {frames} frames of {size[1]} x {size[0]} pixels, its video has {found.frames} of "
                f"{found.width} x {found.height}",
                remedy="fetch it again from where it is kept, or leave it out",
                path=header.path,
            )

    def frame(self, number: int) -> NDArray[np.uint8]:
        """Frame `number` (from 1), uint8 `C H W`."""
        try:
            return read_video_frame(self._file, number=number - 1)
        except InputError as error:
            raise InputError(error.problem, remedy=error.remedy, path=self._path) from None
