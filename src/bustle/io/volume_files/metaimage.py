"""MetaImage: a text header, then the voxels or the names of files that hold them (itk.org/Wiki/MetaIO)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bustle.core.errors import InputError
from bustle.io.volume_files.header_text import header_text, numbers, of_slices, whole, wholes
from bustle.io.volume_files.stored_volume import (
    Packing,
    StoredVolume,
    VoxelFile,
    checked_directions,
    damaged,
    plain_name,
)

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_NEEDED = ("ndims", "dimsize", "elementtype", "elementdatafile")
_MOST_AXES = 10
_LAST = "elementdatafile"


def read_stored(path: Path) -> StoredVolume:
    """What the header declares; raises `InputError` where it is damaged."""
    fields, names, end = _fields(path)
    if not all(fields.get(name) for name in _NEEDED):
        raise damaged(path, "its MetaImage header lacks a field")
    axes = whole(fields["ndims"], path=path, least=1, most=_MOST_AXES)
    sizes = wholes(fields["dimsize"], path=path, count=axes, least=1)
    dtype = _TYPES.get(fields["elementtype"].upper())
    if dtype is None:
        raise damaged(path, f"it holds values of the type {fields['elementtype'][:40]!r}")
    if not _is_true(fields, "binarydata", default=True):
        raise InputError("keeps its voxels as text", remedy="save it with BinaryData = True", path=path)
    swapped = any(_is_true(fields, name) for name in ("binarydatabyteordermsb", "elementbyteordermsb"))
    stated = fields.get("elementspacing", fields.get("elementsize"))
    spacing = None if stated is None else tuple(numbers(stated, path=path, count=axes, finite=False))
    origin = _first(fields, "offset", "position", "origin")
    matrix = _first(fields, "transformmatrix", "rotation", "orientation")
    rows = np.eye(axes) if matrix is None else np.reshape(numbers(matrix, path=path, count=axes**2), (axes, axes))
    place = np.zeros(axes) if origin is None else np.array(numbers(origin, path=path, count=axes))
    packing: Packing = "deflated" if _is_true(fields, "compresseddata") else "raw"
    return StoredVolume(
        path=path,
        sizes=tuple(sizes),
        values=whole(fields.get("elementnumberofchannels", "1"), path=path, least=1, most=1 << 16),
        dtype=np.dtype(dtype).newbyteorder(">" if swapped else "<"),
        spacing=spacing,
        origin=tuple(map(float, place[:3])),
        direction=checked_directions([*rows[:3, :3]], path=path),
        files=_files(fields, names, end=end, slices=sizes[-1], packing=packing, path=path),
        packing=packing,
    )


def _fields(path: Path) -> tuple[dict[str, str], list[str], int]:
    """The fields by name in lower case, the lines below `ElementDataFile = LIST`, and the byte behind that line."""
    last: list[str] = []

    def ends(line: str) -> bool:
        name, sign, _ = _split(line)
        if sign and name == _LAST:
            last.append(line)
        return bool(last)

    lines, end = header_text(path, until=ends)
    fields: dict[str, str] = {}
    for line in [*lines, *last]:
        name, sign, value = _split(line)
        if not sign or name in fields:
            raise damaged(path, f"a line of its header makes no sense: {line[:40]!r}")
        fields[name] = value
    names: list[str] = []
    if fields.get(_LAST, "").upper().startswith("LIST"):
        lines, _ = header_text(path, until=lambda line: False)
        names = [line.strip() for line in lines[len(fields) :] if line.strip()]
    return fields, names, end


def _split(line: str) -> tuple[str, str, str]:
    """The name in lower case, the sign behind it, and the value."""
    found = re.match(r"([^=:]*)([=:])(.*)", line)
    return ("", "", "") if found is None else (found[1].strip().lower(), found[2], found[3].strip())


def _first(fields: Mapping[str, str], *names: str) -> str | None:
    return next((fields[name] for name in names if name in fields), None)


def _is_true(fields: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    value = fields.get(name)
    return default if value is None else value[:1].upper() in ("T", "1")


def _files(
    fields: Mapping[str, str], names: list[str], *, end: int, slices: int, packing: Packing, path: Path
) -> tuple[VoxelFile, ...]:
    data = fields[_LAST]
    skip = whole(fields.get("headersize", "0"), path=path, least=-1, most=1 << 40)
    if data.upper() == "LOCAL":
        if packing == "raw":
            return (VoxelFile(path, start=end, skip=min(skip, 0)),)
        return (_packed(VoxelFile(path, start=end), fields, path=path),)
    if data.upper().startswith("LIST"):
        found = names
    elif "%" in data:
        found = of_slices(data, path=path, most=slices)
    else:
        files = VoxelFile(plain_name(data, beside=path), skip=skip)
        return (files if packing == "raw" else _packed(files, fields, path=path),)
    if len(found) != slices or packing != "raw":
        raise damaged(path, f"it names {len(found)} files for {slices} slices")
    return tuple(VoxelFile(plain_name(name, beside=path), skip=skip) for name in found)


def _packed(file: VoxelFile, fields: Mapping[str, str], *, path: Path) -> VoxelFile:
    """The file with the end of its packed stream, which the header has to state, and rightly."""
    size = whole(fields.get("compresseddatasize", "0"), path=path, least=0, most=1 << 40)
    if size == 0:
        raise damaged(path, "its header does not say how long its compressed voxels are")
    return VoxelFile(file.path, start=file.start, stop=file.start + size)
