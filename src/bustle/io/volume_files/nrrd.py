"""NRRD: a text header, then the voxels or the names of their files (teem.sourceforge.net/nrrd/format.html)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bustle.core.errors import InputError
from bustle.io.volume_files.header_text import header_text, number, numbers, of_slices, whole, wholes
from bustle.io.volume_files.stored_volume import (
    IDENTITY,
    Packing,
    StoredVolume,
    VoxelFile,
    checked_directions,
    damaged,
    plain_name,
)

_TYPES: Mapping[str, tuple[str, ...]] = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_PACKINGS: Mapping[str, Packing] = {
    "raw": "raw",
    "gzip": "deflated",
    "gz": "deflated",
    "text": "text",
    "txt": "text",
    "ascii": "text",
    "hex": "hex",
}
_SPACES: Mapping[str, tuple[int, int, int]] = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
    "scanner-xyz": (1, 1, 1),
    "3d-right-handed": (1, 1, 1),
    "3d-left-handed": (1, 1, 1),
}
"""The signs that bring a world's coordinates to LPS; those of worlds without a body are taken as they are."""

_SPATIAL_KINDS = frozenset({"domain", "space", "time", "???", "none"})
_SPELLINGS = {
    "datafile": "data file",
    "lineskip": "line skip",
    "byteskip": "byte skip",
    "centerings": "centers",
    "axismins": "axis mins",
    "axismaxs": "axis maxs",
}
_MOST_AXES = 16


def read_stored(path: Path) -> StoredVolume:
    """What the header declares; raises `InputError` where it is damaged."""
    fields, names, end = _fields(path)
    missing = [name for name in ("type", "dimension", "sizes", "encoding") if name not in fields]
    if missing:
        raise damaged(path, f"its header lacks {', '.join(missing)}")
    axes = whole(fields["dimension"], path=path, least=1, most=_MOST_AXES)
    sizes = wholes(fields["sizes"], path=path, count=axes, least=1)
    packing = _PACKINGS.get(fields["encoding"].lower())
    if packing is None:
        raise InputError(
            f"keeps its voxels in the encoding '{fields['encoding'][:40]}'",
            remedy="save it with gzip or raw",
            path=path,
        )
    kinds = fields.get("kinds", "").lower().split() or ["domain"] * axes
    if len(kinds) != axes:
        raise damaged(path, "its kinds are not those of its axes")
    spatial = [axis for axis, kind in enumerate(kinds) if kind in _SPATIAL_KINDS]
    if len(spatial) < axes and spatial != list(range(1, axes)):
        raise InputError("keeps the values of a voxel apart", remedy="save it as grey values", path=path)
    spacing, origin, direction = _place(fields, spatial, axes=axes, path=path)
    return StoredVolume(
        path=path,
        sizes=tuple(sizes[axis] for axis in spatial),
        values=math.prod(sizes[axis] for axis in range(axes) if axis not in spatial),
        dtype=_dtype(fields, packing=packing, path=path),
        spacing=spacing,
        origin=origin,
        direction=direction,
        files=_files(fields, names, end=end, packing=packing, slices=sizes[-1], path=path),
        packing=packing,
    )


def _fields(path: Path) -> tuple[dict[str, str], list[str], int]:
    """The fields by name, the names below `data file: LIST`, and the byte behind the header's blank line."""
    lines, end = header_text(path, until=lambda line: line == "")
    if not lines or re.fullmatch(r"NRRD000[1-5]", lines[0]) is None:
        raise damaged(path, "it does not begin as NRRD does")
    fields: dict[str, str] = {}
    names: list[str] = []
    for line in lines[1:]:
        if fields.get("data file", "").startswith("LIST"):
            names.append(line)
            continue
        if line.startswith("#") or re.match(r"[^:]*:=", line):
            continue
        name, colon, value = line.partition(": ")
        name = _SPELLINGS.get(name.strip().lower(), name.strip().lower())
        if not colon or name in fields:
            raise damaged(path, f"a line of its header makes no sense: {line[:40]!r}")
        fields[name] = value.strip()
    return fields, [name for name in names if name], end


def _dtype(fields: Mapping[str, str], *, packing: Packing, path: Path) -> np.dtype:
    spelled = " ".join(fields["type"].lower().split())
    code = next((code for code, spellings in _TYPES.items() if spelled in spellings), None)
    if code is None:
        raise damaged(path, f"it holds values of the type {fields['type'][:40]!r}")
    dtype = np.dtype(code)
    if dtype.itemsize == 1 or packing == "text":
        return dtype
    match fields.get("endian", "").lower():
        case "little":
            return dtype.newbyteorder("<")
        case "big":
            return dtype.newbyteorder(">")
    raise damaged(path, "its header does not say the order of bytes")


def _files(
    fields: Mapping[str, str], names: list[str], *, end: int, packing: Packing, slices: int, path: Path
) -> tuple[VoxelFile, ...]:
    if whole(fields.get("line skip", "0"), path=path, least=0, most=0):
        raise damaged(path, "its voxels begin after lines of text")
    skip = whole(fields.get("byte skip", "0"), path=path, least=-1, most=1 << 40)
    data = fields.get("data file")
    if data is None:
        return (VoxelFile(path, start=end, skip=skip),)
    if data.startswith("LIST"):
        found = names
    elif "%" in data:
        found = of_slices(data, path=path, most=slices)
    else:
        found = [data]
    if not 1 <= len(found) <= slices:
        raise damaged(path, f"it names {len(found)} files for {slices} slices")
    return tuple(VoxelFile(plain_name(name, beside=path), skip=skip) for name in found)


def _place(
    fields: Mapping[str, str], spatial: Sequence[int], *, axes: int, path: Path
) -> tuple[tuple[float, ...] | None, tuple[float, ...], tuple[float, ...]]:
    """Spacing, origin and direction in LPS. Without vectors the axes are those of the world."""
    none = (0.0, 0.0, 0.0)
    if "space directions" not in fields:
        steps = [number(word) for word in fields.get("spacings", "").split()]
        if steps and len(steps) != axes:
            raise damaged(path, "its spacings are not those of its axes")
        return (tuple(steps[axis] for axis in spatial) if steps else None), none, IDENTITY
    vectors = re.findall(r"none|\([^()]*\)", fields["space directions"])
    if len(vectors) != axes or re.sub(r"none|\([^()]*\)|\s", "", fields["space directions"]):
        raise damaged(path, "its directions are not those of its axes")
    own = [vectors[axis] for axis in spatial]
    if len(own) != 3 or "none" in own:
        return None, none, IDENTITY
    space = fields.get("space", "scanner-xyz").lower()
    if space not in _SPACES:
        raise damaged(path, f"its space is {space[:40]!r}")
    signs = np.array(_SPACES[space])
    columns = [np.array(_vector(vector, path=path)) * signs for vector in own]
    spacing = tuple(float(np.linalg.norm(column)) for column in columns)
    if not all(math.isfinite(step) and step > 0 for step in spacing):
        return None, none, IDENTITY
    direction = checked_directions(columns, path=path)
    origin = np.array(_vector(fields["space origin"], path=path)) * signs if "space origin" in fields else none
    return spacing, tuple(map(float, origin)), direction


def _vector(text: str, *, path: Path) -> list[float]:
    inside = re.fullmatch(r"\((.*)\)", text.strip())
    if inside is None:
        raise damaged(path, f"{text[:40]!r} is no place in space")
    return numbers(inside[1].replace(",", " "), path=path, count=3, finite=False)
