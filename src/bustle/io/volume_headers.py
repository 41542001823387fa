"""What a volume's file says by itself, where ITK would guess, print or pass over it.

ITK takes 1 mm where a file states no spacing, zeros for voxels that a NIfTI file lacks, and what it can get of
damaged compressed voxels in a MetaImage file; and the libraries below it write to the terminal what they dislike
about a header. All this is found here beforehand.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from bustle.core.errors import InputError

TEXT_HEADER = 1 << 16
"""Bytes within which the text header of an NRRD or MetaImage file must end."""

REPLACE = "restore the file from its source or leave it out"

_CHUNK = 1 << 22
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
_NIFTI_BYTES = 540
_NIFTI_LEAST_OFFSET = 352
_NIFTI_TYPES = frozenset({2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2304})
_META_NEEDED = ("ndims", "dimsize", "elementtype", "elementdatafile")
_META_PER_AXIS = ("dimsize", "elementspacing")


class _NiftiHeader(NamedTuple):
    """Fields of a NIfTI-1 or -2 header; `steps` are the pixdim of the first three axes, `offset` is in bytes."""

    dims: tuple[int, ...]
    type_code: int
    bits: int
    steps: tuple[float, ...]
    offset: float


def check_header(path: Path) -> None:
    """Raises `InputError` for a NIfTI or MetaImage header that is cut short or senseless."""
    if _is_nifti(path):
        header = _nifti_header(path)
        axes = header.dims[0]
        if not 1 <= axes <= 7 or min(header.dims[1 : axes + 1]) < 1 or header.type_code not in _NIFTI_TYPES:
            raise InputError("has a damaged NIfTI header", remedy=REPLACE, path=path)
    elif _is_meta(path):
        fields, _ = _meta_header(path)
        axes = {str(len(fields[name].split())) for name in _META_PER_AXIS if name in fields}
        if not all(fields.get(name) for name in _META_NEEDED) or axes != {fields["ndims"]}:
            raise InputError("has a damaged MetaImage header", remedy=REPLACE, path=path)


def states_spacing(path: Path) -> bool:
    """Whether the file gives each axis a spacing that is a number other than zero."""
    if _is_nifti(path):
        return all(math.isfinite(step) and step != 0 for step in _nifti_header(path).steps)
    if _is_meta(path):
        fields, _ = _meta_header(path)
        return "elementspacing" in fields or "elementsize" in fields
    text = re.split(r"\r?\n\r?\n", _start(path), maxsplit=1)[0]
    for line in text.lower().splitlines():
        field, _, value = line.partition(":")
        if field in ("spacings", "space directions"):
            return re.search(r"nan|none|(^|\s)[-+]?0*\.?0*(\s|$)", value.strip()) is None
    return False


def check_complete(path: Path, *, voxel_bytes: int) -> None:
    """Raises `InputError` for a NIfTI or MetaImage file that holds less than its header declares.

    `voxel_bytes` are those of the decoded volume. The NRRD library notices by itself.
    """
    if _is_nifti(path):
        header = _nifti_header(path)
        count = math.prod(header.dims[1 : header.dims[0] + 1])
        expected = max(_NIFTI_LEAST_OFFSET, int(header.offset)) + count * header.bits // 8
        found = _unpacked_size(path) if path.name.lower().endswith(".gz") else path.stat().st_size
    elif _is_meta(path):
        fields, end = _meta_header(path)
        data = fields["elementdatafile"]
        if data.lower().startswith("list") or "%" in data:
            return  # one file per slice
        file, start = (path, end) if data.lower() == "local" else (path.parent / data, 0)
        if not file.is_file():
            raise InputError(f"lacks its voxels, the file {data}", remedy=REPLACE, path=path)
        expected = voxel_bytes
        packed = fields.get("compresseddata", "").lower() == "true"
        found = _inflated_size(file, start=start, of=path) if packed else file.stat().st_size - start
    else:
        return
    if found < expected:
        raise InputError(f"is cut short ({found} of {expected} bytes)", remedy=REPLACE, path=path)


def _is_nifti(path: Path) -> bool:
    return path.name.lower().endswith((".nii", ".nii.gz"))


def _is_meta(path: Path) -> bool:
    return path.name.lower().endswith((".mha", ".mhd"))


def _nifti_header(path: Path) -> _NiftiHeader:
    opener: Any = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as stream:
            start = stream.read(_NIFTI_BYTES).ljust(_NIFTI_BYTES, b"\0")
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, error) from None
    for order in "<>":
        (length,) = struct.unpack_from(f"{order}i", start)
        if length == 348:
            dims = struct.unpack_from(f"{order}8h", start, 40)
            type_code, bits = struct.unpack_from(f"{order}2h", start, 70)
            steps = struct.unpack_from(f"{order}3f", start, 80)
            (offset,) = struct.unpack_from(f"{order}f", start, 108)
        elif length == 540:
            type_code, bits = struct.unpack_from(f"{order}2h", start, 12)
            dims = struct.unpack_from(f"{order}8q", start, 16)
            steps = struct.unpack_from(f"{order}3d", start, 112)
            (offset,) = struct.unpack_from(f"{order}q", start, 168)
        else:
            continue
        return _NiftiHeader(dims, type_code, bits, steps, offset if math.isfinite(offset) else 0)
    raise InputError("is no NIfTI file, or it is damaged", remedy=REPLACE, path=path)


def _meta_header(path: Path) -> tuple[dict[str, str], int]:
    """The fields by name in lower case, and the byte at which the header ends."""
    fields: dict[str, str] = {}
    end = 0
    for line in _start(path).split("\n"):
        name, *value = re.split("[=:]", line, maxsplit=1)
        if not value:
            break
        end += len(line) + 1
        fields[name.strip().lower()] = value[0].strip()
        if name.strip().lower() == "elementdatafile":
            break
    return fields, end


def _start(path: Path) -> str:
    """The first bytes as characters, one of a byte each."""
    with path.open("rb") as stream:
        return stream.read(TEXT_HEADER).decode("latin-1")


def _unpacked_size(path: Path) -> int:
    size = 0
    try:
        with gzip.open(path, "rb") as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, error) from None
    return size


def _inflated_size(file: Path, *, start: int, of: Path) -> int:
    """Bytes that a deflated stream holds from `start` on; its checksum is looked at."""
    size, inflate = 0, zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        with file.open("rb") as stream:
            stream.seek(start)
            while not inflate.eof and (chunk := stream.read(_CHUNK)):
                while chunk:
                    size += len(inflate.decompress(chunk, _CHUNK))
                    chunk = inflate.unconsumed_tail
    except (OSError, zlib.error) as error:
        raise _damaged(of, error) from None
    if not inflate.eof:
        raise _damaged(of, "its compressed voxels do not end")
    return size


def _damaged(path: Path, why: object) -> InputError:
    return InputError(f"is cut short or damaged ({why})", remedy=REPLACE, path=path)
