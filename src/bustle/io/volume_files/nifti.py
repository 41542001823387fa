"""NIfTI-1 and NIfTI-2 in one file, packed or not (nifti.nimh.nih.gov)."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.io.volume_files.stored_volume import (
    IDENTITY,
    REPLACE,
    StoredVolume,
    VoxelFile,
    checked_directions,
    damaged,
)

_TYPES = {
    2: ("u1", 1),
    4: ("i2", 1),
    8: ("i4", 1),
    16: ("f4", 1),
    32: ("f4", 2),
    64: ("f8", 1),
    128: ("u1", 3),
    256: ("i1", 1),
    512: ("u2", 1),
    768: ("u4", 1),
    1024: ("i8", 1),
    1280: ("u8", 1),
    1792: ("f8", 2),
    2304: ("u1", 4),
}
"""NumPy type and values per voxel by datatype code; extended precision is not read."""

_HEADER_BYTES = 540
_LARGEST_OFFSET = 1 << 26
_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Millimetres in the unit of length, by its code; none stated is mm."""

_VALUES_AXIS = 5
"""The axis, counted from 1, along which the values of one voxel lie."""

_ALIKE = 1e-5
"""By how much the two forms of a place may differ, in mm, to be taken as the same."""

_AT_RIGHT_ANGLES = 1e-4


class _Header(NamedTuple):
    """The fields that matter, with NIfTI's names; `steps` is pixdim."""

    order: Literal["<", ">"]
    magic: bytes
    dims: tuple[int, ...]
    datatype: int
    steps: tuple[float, ...]
    offset: float
    slope: float
    intercept: float
    units: int
    qform_code: int
    sform_code: int
    quaternion: tuple[float, ...]
    shift: tuple[float, ...]
    rows: NDArray[np.float64]


def read_stored(path: Path) -> StoredVolume:
    """What the header declares; raises `InputError` where it is damaged."""
    packed = path.name.lower().endswith(".gz")
    header = _header(path, packed=packed)
    axes = header.dims[0]
    if not 1 <= axes <= 7 or not all(1 <= size < 1 << 31 for size in header.dims[1 : axes + 1]):
        raise damaged(path, "its NIfTI header states senseless sizes")
    if header.magic[:3] not in (b"n+1", b"n+2"):
        raise InputError("is no NIfTI file of its own, or it is damaged", remedy="save it as .nii.gz", path=path)
    if header.datatype not in _TYPES:
        raise damaged(path, f"its NIfTI header states values of the type {header.datatype}")
    code, values = _TYPES[header.datatype]
    least = 544 if header.magic[:3] == b"n+2" else 352
    if not math.isfinite(header.offset) or not 0 <= header.offset <= _LARGEST_OFFSET:
        raise damaged(path, "its NIfTI header states a senseless place of the voxels")
    sizes = list(header.dims[1 : axes + 1])
    if len(sizes) >= _VALUES_AXIS:
        values *= sizes.pop(_VALUES_AXIS - 1)
    to_mm = _MM.get(header.units & 7, 1.0)
    stated = header.steps[1 : min(len(sizes), 3) + 1]  # further axes have no place in space
    spacing = (*(step * to_mm for step in stated), *[1.0] * (len(sizes) - len(stated)))
    known = all(math.isfinite(step) and step > 0 for step in stated)
    origin, direction = (0.0, 0.0, 0.0), IDENTITY
    if known and len(sizes) > 2 and max(header.qform_code, header.sform_code) > 0:
        origin, direction = _place(header, to_mm=to_mm, path=path)
    return StoredVolume(
        path=path,
        sizes=tuple(sizes),
        values=values,
        dtype=np.dtype(code).newbyteorder(header.order),
        spacing=spacing if known else None,
        origin=origin,
        direction=direction,
        files=(VoxelFile(path, skip=max(least, int(header.offset))),),
        packing="deflated" if packed else "raw",
        scale=_scale(header, path=path),
    )


def _header(path: Path, *, packed: bool) -> _Header:
    opener: Any = gzip.open if packed else open
    try:
        with opener(path, "rb") as stream:
            start = stream.read(_HEADER_BYTES).ljust(_HEADER_BYTES, b"\0")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise damaged(path, error) from None

    def at(form: str, offset: int) -> tuple[Any, ...]:
        return struct.unpack_from(order + form, start, offset)

    orders: tuple[Literal["<"], Literal[">"]] = ("<", ">")
    for order in orders:
        (length,) = at("i", 0)
        if length == 348:
            return _Header(
                order=order,
                magic=start[344:348],
                dims=at("8h", 40),
                datatype=at("h", 70)[0],
                steps=at("8f", 76),
                offset=at("f", 108)[0],
                slope=at("f", 112)[0],
                intercept=at("f", 116)[0],
                units=start[123],
                qform_code=at("h", 252)[0],
                sform_code=at("h", 254)[0],
                quaternion=at("3f", 256),
                shift=at("3f", 268),
                rows=np.reshape(at("12f", 280), (3, 4)).astype(np.float64),
            )
        if length == 540:
            return _Header(
                order=order,
                magic=start[4:8],
                dims=at("8q", 16),
                datatype=at("h", 12)[0],
                steps=at("8d", 104),
                offset=float(at("q", 168)[0]),
                slope=at("d", 176)[0],
                intercept=at("d", 184)[0],
                units=at("i", 500)[0],
                qform_code=at("i", 344)[0],
                sform_code=at("i", 348)[0],
                quaternion=at("3d", 352),
                shift=at("3d", 376),
                rows=np.reshape(at("12d", 400), (3, 4)).astype(np.float64),
            )
    raise InputError("is no NIfTI file, or it is damaged", remedy=REPLACE, path=path)


def _scale(header: _Header, *, path: Path) -> tuple[float, float] | None:
    """Slope and intercept; a slope of 0 says that there are none."""
    if header.slope == 0 or (header.slope, header.intercept) == (1, 0):
        return None
    if not (math.isfinite(header.slope) and math.isfinite(header.intercept)):
        raise damaged(path, "its NIfTI header scales the values by no number")
    return header.slope, header.intercept


def _place(header: _Header, *, to_mm: float, path: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Origin and direction in LPS; NIfTI's own coordinates are RAS.

    Of two forms that say the same, the matrix has more digits; of two that differ, the quaternion holds.
    """
    by_matrix = header.rows if header.sform_code > 0 else None
    by_quaternion = _turned(header, path=path) if header.qform_code > 0 else None
    if by_matrix is not None and not np.isfinite(by_matrix).all():
        raise damaged(path, "its NIfTI header places it nowhere")
    if by_matrix is None or (by_quaternion is not None and not _same(by_matrix, by_quaternion)):
        chosen = by_quaternion
    else:
        chosen = by_matrix
    assert chosen is not None
    lps = np.array([-1.0, -1.0, 1.0])
    columns = [chosen[:, axis] * lps for axis in range(3)]
    return tuple(map(float, chosen[:, 3] * lps * to_mm)), checked_directions(columns, path=path)


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    columns = one[:, :3] / np.maximum(np.linalg.norm(one[:, :3], axis=0), np.finfo(float).tiny)
    right = np.allclose(columns.T @ columns, np.eye(3), atol=_AT_RIGHT_ANGLES)
    return right and bool(np.allclose(one, other, atol=_ALIKE, rtol=_ALIKE))


def _turned(header: _Header, *, path: Path) -> NDArray[np.float64]:
    """The 3 x 4 matrix of the quaternion b, c, d, the steps and the shift, as nifti1.h defines it (method 2)."""
    b, c, d = header.quaternion
    if not all(map(math.isfinite, (*header.quaternion, *header.shift, header.steps[0]))):
        raise damaged(path, "its NIfTI header places it nowhere")
    square = b * b + c * c + d * d
    if 1 - square < 1e-7:
        b, c, d = (part / math.sqrt(square) for part in (b, c, d))
        a = 0.0
    else:
        a = math.sqrt(1 - square)
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    steps = np.array(header.steps[1:4]) * np.array([1, 1, -1 if header.steps[0] < 0 else 1])
    return np.hstack([turn * steps, np.reshape(header.shift, (3, 1))])
