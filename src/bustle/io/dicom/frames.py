"""Single frames of a DICOM file: each is decoded by itself, and nothing else of the clip is.

Pixels are decoded by pydicom's own decoders. What it would do again for every frame, looking for the frame in the
file and reading the palette, is done once a file.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import ExplicitVRBigEndian, JPEGExtended12Bit

from bustle.core.errors import InputError
from bustle.core.files import check_regular
from bustle.io.bit_depth import to_8_bit
from bustle.io.dicom import encapsulation
from bustle.io.dicom.decoder_plugins import DECODERS, GDCM, add_decoders, jpeg_size
from bustle.io.dicom.grey_levels import bits_of, grey_table, palette_table
from bustle.io.dicom.header import REPLACE, Header, damaged, read_header, strictly, text, whole
from bustle.io.dicom.jpeg_of_12_bits import BITS
from bustle.io.dicom.transfer_syntaxes import is_video, name_of
from bustle.io.dicom.video_stream import VideoStream
from bustle.io.raster import MAX_PIXELS, MIN_SIDE, image_of_pixels, one_plane_if_grey

_GREY = ("MONOCHROME1", "MONOCHROME2")
_PALETTE = "PALETTE COLOR"
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT")
_RETIRED = ("ARGB", "CMYK", "HSV", "YBR_PARTIAL_422")
_MOST_FRAMES = 1_000_000
_OPEN_FILES = 4
_ROOMS = threading.local()
_MOST_KEPT = 1 << 24
"""Bytes of a frame for which a thread keeps the memory that it reads into."""


class Frames:
    """The frames of one file, numbered from 1 as DICOM does. Threads may share one."""

    def __init__(self, header: Header):
        """Raises `InputError` where the header or the file's length says that the pixels cannot be read."""
        with strictly(header.path):
            self._set_up(header)

    def _set_up(self, header: Header) -> None:
        dataset, path = header.dataset, header.path
        self.header = header
        self.size = _size(header)
        self.count = _frame_count(header)
        self.photometric = (text(dataset, "PhotometricInterpretation") or "").upper()
        self.samples = whole(dataset, "SamplesPerPixel") or 1
        if header.pixels is None:
            raise InputError("holds no pixel data", remedy="leave it out", path=path)
        self._check_colours()
        bits = bits_of(dataset)
        if bits is None:
            raise InputError(
                "stores its pixels in no 8 or 16 bits",
                remedy="leave it out, or store it anew with 8 bits a value",
                path=path,
            )
        self.allocated, self.stored_bits, self._shift = bits
        self.signed = whole(dataset, "PixelRepresentation") == 1
        self._fragments: tuple[tuple[encapsulation.Fragment, ...], ...] | None = None
        self._video: VideoStream | None = None
        if is_video(header.syntax):
            stream = encapsulation.frames_of(header, frames=1)[0]
            self._video = VideoStream(header, stream, frames=self.count, size=self.size)
            return
        add_decoders()
        self._decoder = self._known_decoder()
        if self._decoder.is_encapsulated:
            if header.pixels.length is not None:
                raise damaged(path, f"its pixel data are not packed as {name_of(header.syntax)} says")
            self._fragments = encapsulation.frames_of(header, frames=self.count)
            self._check_jpeg_bits()
        else:
            self._check_length()

    @functools.cached_property
    def _levels(self) -> NDArray[np.uint8]:
        """The grey level or the colour of each stored value."""
        table = palette_table if self.photometric == _PALETTE else grey_table
        with strictly(self.header.path):
            return table(self.header.dataset, bits=self.stored_bits, signed=self.signed)

    def picture(self, number: int) -> NDArray[np.uint8]:
        """Frame `number` as it is to be shown, uint8 `C H W`: C = 1 if grey, else 3 (RGB).

        Raises `InputError` for a frame that does not exist or is damaged.
        """
        path = self.header.path
        if self._video is not None:
            return self._video.frame(number)
        if self._is_plain_colour:
            return one_plane_if_grey(self._plain_planes(number))
        stored = self.stored(number)
        if stored.ndim == 3:
            return image_of_pixels(self._of_8_bits(stored), path=path)
        return image_of_pixels(np.take(self._levels, stored, axis=0), path=path)

    def colours(self, number: int) -> NDArray[np.uint8]:
        """Frame `number` of a file in colour, RGB `H W 3`. Raises `InputError` as `picture` does."""
        return self._of_8_bits(self.stored(number))

    @property
    def darkest(self) -> int:
        """The stored value that is shown the darkest, of a file of one value a pixel."""
        levels = self._levels.reshape(len(self._levels), -1).astype(np.int32)
        return int(np.argmin(levels.sum(axis=1)))

    def stored(self, number: int) -> NDArray[Any]:
        """Frame `number` as it is stored, without what is in unused bits: unsigned patterns `H W`, or RGB `H W 3`.

        Raises `InputError` as `picture` does, and for a video.
        """
        self._check_number(number)
        if self._video is not None:
            return np.ascontiguousarray(self._video.frame(number).transpose(1, 2, 0))
        with strictly(self.header.path):
            pixels = self._decoded(number)
        unsigned = pixels.view(f"u{pixels.dtype.itemsize}")
        shift = 0 if self._decoder.is_encapsulated else self._shift
        if self.stored_bits == 8 * pixels.dtype.itemsize and shift == 0:
            return unsigned
        return (unsigned >> shift) & unsigned.dtype.type((1 << self.stored_bits) - 1)

    def _check_number(self, number: int) -> None:
        if not 1 <= number <= self.count:
            raise InputError(
                f"has no frame {number}", remedy=f"its frames are 1 to {self.count}", path=self.header.path
            )

    def _of_8_bits(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        if pixels.dtype == np.uint8 and self.stored_bits == 8:
            return pixels
        scale = np.round(np.arange(1 << self.stored_bits) * (255.0 / ((1 << self.stored_bits) - 1)))
        return np.take(to_8_bit(scale, path=None), pixels)

    def _decoded(self, number: int) -> NDArray[Any]:
        options = self._options()
        try:
            if self._fragments is None:
                with self.header.opened() as stream:
                    assert self.header.pixels is not None
                    stream.seek(self.header.pixels.start)
                    pixels, _ = self._decoder.as_array(stream, index=number - 1, **options)
            else:
                pixels = self._of_fragments(self._fragments[number - 1], options)
        except (InputError, MemoryError, ModuleNotFoundError):
            raise
        except Exception:  # a damaged frame can make a decoder raise almost anything
            raise self._frame_damaged(number) from None
        shape = self.size if self.samples == 1 else (*self.size, 3)
        if pixels.shape != shape:
            raise self._frame_damaged(number)
        return pixels

    @functools.cached_property
    def _is_plain_colour(self) -> bool:
        """Whether the bytes of a frame are its pixels."""
        is_interleaved = self.photometric == "RGB" and not whole(self.header.dataset, "PlanarConfiguration")
        is_bytes = self.allocated == 8 and not self.signed and self.header.syntax != ExplicitVRBigEndian
        return self._fragments is None and is_interleaved and is_bytes

    def _plain_planes(self, number: int) -> NDArray[np.uint8]:
        """A frame of plain colour `3 H W`, which pydicom would copy several times."""
        self._check_number(number)
        assert self.header.pixels is not None
        content = _room(3 * self.size[0] * self.size[1])
        with self.header.opened() as stream:
            stream.seek(self.header.pixels.start + (number - 1) * content.size)
            if stream.readinto(content.data) < content.size:  # the file has been cut short meanwhile
                raise self._frame_damaged(number)
        planes = np.empty((3, *self.size), np.uint8)
        cv2.split(content.reshape(*self.size, 3), list(planes))
        return planes

    def _of_fragments(self, fragments: tuple[encapsulation.Fragment, ...], options: dict[str, Any]) -> NDArray[Any]:
        """Decode one frame, given to pydicom as the only one."""
        content = self._content(fragments)
        alone = encapsulate([bytes(content)], has_bot=False)
        options = {**options, "number_of_frames": 1}
        *others, last = DECODERS[self.header.syntax]
        for name in others:
            with contextlib.suppress(Exception):  # the next one may be less strict, or know more bits
                return self._decoder.as_array(alone, index=0, decoding_plugin=name, **options)[0]
        if last == GDCM or self.header.syntax == JPEGExtended12Bit:
            self._check_jpeg(content)
        return self._decoder.as_array(alone, index=0, decoding_plugin=last, **options)[0]

    def _content(self, fragments: tuple[encapsulation.Fragment, ...]) -> bytearray:
        content = bytearray()
        with self.header.opened() as stream:
            for fragment in fragments:
                stream.seek(fragment.start)
                content += stream.read(fragment.length)
        return content

    def _check_jpeg_bits(self) -> None:
        """Raises `InputError` for lossy JPEG of more than 8 bits that is not grey of 12, as the standard has it."""
        if self.header.syntax != JPEGExtended12Bit or not self._fragments:
            return
        found = jpeg_size(bytes(self._content(self._fragments[0])))
        if found is not None and found[3] > 8 and (*found[2:], self.stored_bits) != (1, BITS, BITS):
            raise InputError(
                f"is stored as {name_of(self.header.syntax)} with {found[3]} bits, which is not read",
                remedy="store it anew as JPEG 2000, RLE or uncompressed",
                path=self.header.path,
            )

    def _check_jpeg(self, stream: bytes | bytearray) -> None:
        """Raises ValueError for a JPEG whose own header is another than the file's."""
        found = jpeg_size(bytes(stream))
        if found is None or found[:3] != (*self.size, self.samples):
            raise ValueError("the stream is of another size")
        if found[3] != self.stored_bits and not found[3] == self.allocated == 16:
            raise ValueError("the stream has another number of bits")

    def _options(self) -> dict[str, Any]:
        """What pydicom wants to know besides the bytes."""
        dataset, pixels = self.header.dataset, self.header.pixels
        assert pixels is not None
        return {
            "rows": self.size[0],
            "columns": self.size[1],
            "number_of_frames": self.count,
            "samples_per_pixel": self.samples,
            "photometric_interpretation": self.photometric,
            "pixel_representation": int(self.signed),
            "bits_allocated": self.allocated,
            "bits_stored": self.stored_bits,
            "planar_configuration": whole(dataset, "PlanarConfiguration") or 0,
            "pixel_keyword": "PixelData",
            "pixel_vr": pixels.vr,
            "correct_unused_bits": False,
            "allow_excess_frames": False,
        }

    def _known_decoder(self) -> Any:
        name = name_of(self.header.syntax)
        try:
            decoder = get_decoder(self.header.syntax)
        except NotImplementedError:
            decoder = None
        if decoder is None or (decoder.is_encapsulated and self.header.syntax not in DECODERS):
            raise InputError(
                f"is stored as {name}, which is not read",
                remedy="store it anew as JPEG 2000, RLE or uncompressed, for example with gdcmconv",
                path=self.header.path,
            )
        return decoder

    def _check_colours(self) -> None:
        of_one = self.samples == 1 and self.photometric in (*_GREY, _PALETTE)
        of_three = self.samples == 3 and self.photometric in _COLOURS
        if not (of_one or of_three):
            known = self.photometric in (*_GREY, _PALETTE, *_COLOURS, *_RETIRED)  # else it could be anybody's name
            raise InputError(
                f"has pixels of {f'the kind {self.photometric}' if known else 'an unknown kind'} "
                f"with {self.samples} values, which are not read",
                remedy="store it anew as MONOCHROME2 or RGB",
                path=self.header.path,
            )

    def _check_length(self) -> None:
        """Raises `InputError` where the file is too short for the frames that it declares."""
        pixels = self.header.pixels
        assert pixels is not None
        if pixels.length is None:
            raise damaged(self.header.path, f"its pixel data are not laid out as {name_of(self.header.syntax)} says")
        values = self.size[0] * self.size[1] * (2 if self.photometric == "YBR_FULL_422" else self.samples)
        needed = values * self.allocated // 8
        there = min(pixels.length, self.header.size - pixels.start)
        if there < needed * self.count:
            raise InputError(
                f"is cut short in frame {there // needed + 1}: {there} of {needed * self.count} bytes",
                remedy=REPLACE,
                path=self.header.path,
            )

    def _frame_damaged(self, number: int) -> InputError:
        which = f"frame {number}" if self.count > 1 else "its picture"
        return damaged(self.header.path, f"{which} cannot be decoded as {name_of(self.header.syntax)}")


def _size(header: Header) -> tuple[int, int]:
    rows, columns = whole(header.dataset, "Rows"), whole(header.dataset, "Columns")
    if header.pixels is None and (rows is None or columns is None):
        raise InputError("holds no pixel data", remedy="leave it out", path=header.path)
    if rows is None or columns is None:
        raise damaged(header.path, "it lacks the number of its rows or columns")
    if rows * columns > MAX_PIXELS or min(rows, columns) < MIN_SIDE:
        raise InputError(
            f"declares {columns} x {rows} pixels",
            remedy=f"use {MIN_SIDE} pixels a side or more, and at most {MAX_PIXELS // 1_000_000} million in all",
            path=header.path,
        )
    return rows, columns


def _frame_count(header: Header) -> int:
    if text(header.dataset, "NumberOfFrames") is None:
        return 1
    count = whole(header.dataset, "NumberOfFrames")
    if count is None or not 1 <= count <= _MOST_FRAMES:
        raise damaged(header.path, "its number of frames is none")
    return count


def _room(size: int) -> NDArray[np.uint8]:
    """Memory for the bytes of a frame, until this thread asks again: fresh memory takes as long as reading them."""
    kept = getattr(_ROOMS, "memory", None)
    if kept is None or kept.size < size:
        kept = np.empty(size, np.uint8)
        if size <= _MOST_KEPT:
            _ROOMS.memory = kept
    return kept[:size]


def open_frames(path: Path) -> Frames:
    """The frames of a file; a few files are kept open as long as they do not change."""
    path = Path(path)
    try:
        status = check_regular(path)
    except OSError:
        return Frames(read_header(path))  # which says what is wrong
    return _kept_frames(path, (status.st_size, status.st_mtime_ns), os.getpid())


@functools.lru_cache(maxsize=_OPEN_FILES)
def _kept_frames(path: Path, stamp: tuple[int, int], process: int) -> Frames:
    return Frames(read_header(path))
