"""What precedes the pixels of a DICOM file; no pixel is read."""

from __future__ import annotations

import contextlib
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from bustle.core.errors import InputError
from bustle.core.files import check_regular
from bustle.core.memory import too_large_to_read
from bustle.io.dicom.quiet_pydicom import quiet_pydicom
from bustle.io.dicom.recognition import begins_as_data_set, has_preamble
from bustle.io.dicom.transfer_syntaxes import DEFLATED
from bustle.io.foreign_formats import RECOGNISED_WITHIN, format_of

REPLACE = "fetch it again from where it is kept, or leave it out"

_KEPT_IN_MEMORY = 1 << 20
"""Larger elements, often private ones, are read only if they are asked for."""

_LONG_FORMS = (b"OB", b"OW", b"OF", b"OD", b"UN", b"OL", b"OV")
_PIXEL_DATA = 0x7FE00010
_UNDEFINED = 0xFFFFFFFF
_CHUNK = 1 << 20
_INFLATED_AT_WILL, _INFLATED_TIMES, _MOST_INFLATED = 1 << 26, 200, 1 << 31
"""Bytes to which a deflated file may grow: so many at any rate, so many times its own, and never more."""


@dataclass(frozen=True)
class PixelPlace:
    """Where the value of the pixel data begins, its bytes (None: fragments up to a delimiter), and its VR."""

    start: int
    length: int | None
    vr: str


@dataclass(frozen=True)
class Header:
    """The elements before the pixel data, and where that stands; None where there is none.

    `syntax` is the UID of the transfer syntax. `content` is the whole data set of a file that is deflated.
    """

    path: Path
    dataset: Dataset
    syntax: str
    pixels: PixelPlace | None
    content: bytes | None = None

    @property
    def little_endian(self) -> bool:
        return self.syntax != ExplicitVRBigEndian

    @contextlib.contextmanager
    def opened(self) -> Iterator[io.BufferedReader | io.BytesIO]:
        """The file, or its inflated content, in which `pixels` is a place."""
        if self.content is not None:
            yield io.BytesIO(self.content)
            return
        try:
            with self.path.open("rb") as stream:
                yield stream
        except OSError as error:
            raise _cannot_be_read(self.path, error) from None

    @property
    def size(self) -> int:
        """Bytes of the file, or of its inflated content."""
        return self.path.stat().st_size if self.content is None else len(self.content)


def read_header(path: Path) -> Header:
    """Read everything before the pixel data.

    Raises `InputError` for a file that is missing, empty, of another format, encrypted or damaged.
    """
    path = Path(path)
    try:
        if check_regular(path).st_size == 0:
            raise InputError("is empty (0 bytes)", remedy=REPLACE, path=path)
        with path.open("rb") as stream:
            start = stream.read(RECOGNISED_WITHIN)
    except FileNotFoundError:
        raise InputError("no such file", remedy="check the path", path=path) from None
    except OSError as error:
        raise _cannot_be_read(path, error) from None
    if not has_preamble(start) and not begins_as_data_set(start):
        raise InputError(
            f"is not a DICOM file{_but_is(start)}", remedy="give DICOM files, or leave it out", path=path
        )
    with strictly(path):
        return _read(path)


@contextlib.contextmanager
def strictly(path: Path) -> Iterator[None]:
    """Whatever pydicom stumbles over becomes an `InputError`; its own words may quote a patient's data."""
    try:
        with quiet_pydicom():
            yield
    except InputError:
        raise
    except MemoryError:
        raise too_large_to_read(path) from None
    except ModuleNotFoundError:
        raise
    except Exception:  # a damaged file can make a parser raise almost anything
        raise damaged(path) from None


def damaged(path: Path, why: str = "its elements cannot be read") -> InputError:
    return InputError(f"is a damaged DICOM file: {why}", remedy=REPLACE, path=path)


def _cannot_be_read(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot be read ({error.strerror})", remedy="check the path", path=path)


def _but_is(start: bytes) -> str:
    if b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07" in start[:32]:  # the object identifiers of PKCS #7
        return " but an encrypted one (CMS)"
    found = format_of(start)
    return "" if found is None else f" but {found}"


def _read(path: Path) -> Header:
    content: bytes | None = None
    meta, end = _file_meta(path)
    if meta.get("TransferSyntaxUID") == DEFLATED:
        with path.open("rb") as stream:
            stream.seek(end)
            content = _inflated(stream, path=path)
    if content is not None:
        with io.BytesIO(content) as stream:
            return _header_of(stream, path=path, meta=meta, content=content)
    with path.open("rb") as stream:
        return _header_of(stream, path=path, meta=meta, content=None)


def _file_meta(path: Path) -> tuple[FileMetaDataset, int]:
    """The file's meta information, and where it ends; empty for a data set without a preamble."""
    with path.open("rb") as stream:
        start = stream.read(144)
    if not has_preamble(start):
        return FileMetaDataset(), 0
    length = int.from_bytes(start[140:144], "little") if start[132:136] == b"\x02\x00\x00\x00" else 0
    return read_file_meta_info(path), 144 + length


def _inflated(stream: BinaryIO, *, path: Path) -> bytes:
    """The rest of a stream that is deflated without a header, no more of it than a sound file has."""
    most = min(_MOST_INFLATED, _INFLATED_AT_WILL + _INFLATED_TIMES * path.stat().st_size)
    inflate, pieces, size = zlib.decompressobj(-zlib.MAX_WBITS), [], 0
    while chunk := stream.read(_CHUNK):
        while chunk and not inflate.eof:
            piece = inflate.decompress(chunk, _CHUNK)
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise damaged(path, f"it inflates to more than {most / 1e6:.0f} MB")
            chunk = inflate.unconsumed_tail
    if not inflate.eof:
        raise damaged(path, "its compressed content is cut short")
    return b"".join(pieces)


def _header_of(stream: BinaryIO, *, path: Path, meta: FileMetaDataset, content: bytes | None) -> Header:
    deferred = None if content is not None else _KEPT_IN_MEMORY
    dataset = pydicom.dcmread(stream, stop_before_pixels=True, defer_size=deferred, force=True)
    syntax = str(meta.get("TransferSyntaxUID", "")) or _guessed_syntax(dataset)
    explicit = not dataset.original_encoding[0]
    place = _pixel_place(stream, explicit=explicit, little_endian=syntax != ExplicitVRBigEndian, path=path)
    dataset.file_meta = meta
    return Header(path=path, dataset=dataset, syntax=syntax, pixels=place, content=content)


def _guessed_syntax(dataset: Dataset) -> str:
    implicit, little_endian = dataset.original_encoding
    if implicit:
        return str(ImplicitVRLittleEndian)
    return str(ExplicitVRLittleEndian if little_endian else ExplicitVRBigEndian)


def _pixel_place(stream: BinaryIO, *, explicit: bool, little_endian: bool, path: Path) -> PixelPlace | None:
    """The element at which the stream stands; None at its end."""
    order = "little" if little_endian else "big"
    start = stream.read(8)
    if len(start) < 8:
        return None
    tag = int.from_bytes(start[:2], order) << 16 | int.from_bytes(start[2:4], order)
    if tag != _PIXEL_DATA:
        raise damaged(path, "its pixel data are of no whole numbers")
    vr = start[4:6] if explicit else b"OW"
    if not explicit:
        length = int.from_bytes(start[4:8], order)
    elif vr in _LONG_FORMS:
        length = int.from_bytes(stream.read(4), order)
    else:
        raise damaged(path, "its pixel data have no known form")
    return PixelPlace(stream.tell(), None if length == _UNDEFINED else length, vr.decode())


def text(dataset: Dataset, keyword: str) -> str | None:
    """An element's value as text without blanks around it; None where it is absent, empty or unreadable."""
    value = _value(dataset, keyword)
    if value is None or isinstance(value, (bytes, Dataset)):
        return None
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = value[0] if len(value) else ""
    return str(value).strip(" \0\t\r\n") or None


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """An element's values as finite numbers; none where it is absent, empty or unreadable."""
    value = _value(dataset, keyword)
    try:
        values = tuple(map(float, value if isinstance(value, Sequence) and not isinstance(value, str) else [value]))
    except (TypeError, ValueError, OverflowError):
        return ()
    return values if all(map(math.isfinite, values)) else ()


def number(dataset: Dataset, keyword: str) -> float | None:
    return next(iter(numbers(dataset, keyword)), None)


def whole(dataset: Dataset, keyword: str) -> int | None:
    value = number(dataset, keyword)
    return None if value is None or value != int(value) else int(value)


def items(dataset: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence; none where it is absent or unreadable."""
    value = _value(dataset, keyword)
    return tuple(value) if isinstance(value, pydicom.Sequence) else ()


def _value(dataset: Dataset, keyword: str) -> Any:
    try:
        with quiet_pydicom():
            return dataset.get(keyword)
    except Exception:  # values are converted when they are asked for, and a stranger's may be anything
        return None
