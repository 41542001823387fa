"""What the three formats have in common: what a header declares, and the bytes of its voxels."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.files import check_regular

REPLACE = "restore the file from its source or leave it out"

_PACKED_CHUNK, _CHUNK = 1 << 18, 1 << 22
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
_GZIP = b"\x1f\x8b"
_SLACK = 1 << 16
"""Bytes that may follow the voxels: some writers pad."""

_LEAST_DETERMINANT = 0.1
"""Of the axes' directions; below, they do not span a space."""

_UNIT_LENGTH = 1e-9
"""By how much a length may differ from 1 to be left alone: rounding must not add up from file to file."""

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
"""The directions of axes that are those of the world."""

Packing = Literal["raw", "deflated", "text", "hex"]


@dataclass(frozen=True)
class VoxelFile:
    """A file that holds voxels: `skip` bytes (of the unpacked ones) stand before them, from the byte `start` on.

    `stop` is where a packed stream ends, or None for the end of the file. A negative `skip` means that raw voxels
    are the last of the file.
    """

    path: Path
    start: int = 0
    skip: int = 0
    stop: int | None = None


@dataclass(frozen=True, kw_only=True)
class StoredVolume:
    """What a file says of a volume. Axes are in the file's order, the fastest first: usually x, y, z.

    `sizes` are those of all axes, `values` are how many there are for each voxel. `spacing` is in mm, None where the
    file states none. `origin` (3) and `direction` (9, row-major, axes in its columns) are LPS coordinates. `scale`
    is the slope and the intercept that give the values, None where they are stored as they are.
    """

    path: Path
    sizes: tuple[int, ...]
    values: int
    dtype: np.dtype[Any]
    spacing: tuple[float, ...] | None
    origin: tuple[float, ...]
    direction: tuple[float, ...]
    files: tuple[VoxelFile, ...]
    packing: Packing
    scale: tuple[float, float] | None = None

    @property
    def detached(self) -> tuple[Path, ...]:
        """The files beside `path` that hold the voxels, each once."""
        return tuple(dict.fromkeys(file.path for file in self.files if file.path != self.path))

    @property
    def byte_count(self) -> int:
        """Bytes of all values, unpacked."""
        return math.prod(self.sizes) * self.values * self.dtype.itemsize

    @property
    def decoded_bytes(self) -> int:
        """Bytes of all values as `read` gives them."""
        return self.byte_count if self.scale is None else self.byte_count // self.dtype.itemsize * 4

    def check_complete(self) -> None:
        """Raises `InputError` where a file cannot hold what the header declares; nothing is unpacked."""
        needed, rest = divmod(self.byte_count, len(self.files))
        if rest:
            raise damaged(self.path, f"{len(self.files)} files do not share its voxels")
        for file in self.files:
            try:
                size = check_regular(file.path).st_size
            except OSError:
                raise InputError(
                    f"lacks its voxels, the file {file.path.name[:80]}", remedy=REPLACE, path=self.path
                ) from None
            stop = size if file.stop is None else min(size, file.stop)
            found = stop - file.start
            least = {
                "raw": max(0, file.skip) + needed,
                "deflated": (max(0, file.skip) + needed) // 1032,  # zlib cannot do better
                "text": 2 * (needed // self.dtype.itemsize) - 1,
                "hex": 2 * needed,
            }[self.packing]
            if found < least:
                raise InputError(f"is cut short ({found} of {least} bytes)", remedy=REPLACE, path=self.path)

    def read(self) -> NDArray[Any]:
        """All values, the slowest axis first, native byte order; those of one voxel follow each other.

        Raises `InputError` for a file that is cut short or damaged.
        """
        self.check_complete()
        needed = self.byte_count // len(self.files)
        parts = [self._part(file, needed) for file in self.files]
        content = parts[0] if len(parts) == 1 else np.concatenate(parts)
        values = content.view(self.dtype) if content.dtype == np.uint8 else content
        values = values.astype(self.dtype.newbyteorder("="), copy=False)
        if self.scale is not None:
            slope, intercept = self.scale
            values = values.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        last = () if self.values == 1 else (self.values,)
        return values.reshape(*reversed(self.sizes), *last)

    def _part(self, file: VoxelFile, needed: int) -> NDArray[Any]:
        """The bytes of one file, or its numbers where they are written as text."""
        try:
            if self.packing == "raw":
                start = file.start + file.skip if file.skip >= 0 else file.path.stat().st_size - needed
                return np.fromfile(file.path, np.uint8, needed, offset=start)
            with file.path.open("rb") as stream:
                stream.seek(file.start)
                if self.packing == "deflated":
                    length = None if file.stop is None else file.stop - file.start
                    return self._inflated(stream, length=length, skip=max(0, file.skip), needed=needed)
                return self._written_out(stream.read(), needed)
        except OSError as error:
            raise damaged(self.path, error.strerror) from None

    def _inflated(self, stream: BinaryIO, *, length: int | None, skip: int, needed: int) -> NDArray[np.uint8]:
        """`needed` bytes after `skip` of a deflated stream, of one or several members; its checksums are compared."""
        content = np.empty(needed, np.uint8)
        done, inflate = 0, zlib.decompressobj(_ZLIB_OR_GZIP)
        try:
            while chunk := stream.read(_PACKED_CHUNK if length is None else min(_PACKED_CHUNK, length)):
                length = None if length is None else length - len(chunk)
                while chunk:
                    piece = inflate.decompress(chunk, _CHUNK)
                    kept = np.frombuffer(piece, np.uint8)[max(0, skip - done) : max(0, skip + needed - done)]
                    place = max(0, done - skip)
                    content[place : place + kept.size] = kept
                    done += len(piece)
                    if done > skip + needed + _SLACK:
                        raise damaged(self.path, "it unpacks to more than its header declares")
                    chunk = inflate.unconsumed_tail
                    if inflate.eof:
                        chunk = inflate.unused_data
                        if not chunk.startswith(_GZIP):
                            break
                        inflate = zlib.decompressobj(_ZLIB_OR_GZIP)
                if inflate.eof:
                    break
        except zlib.error as error:
            raise damaged(self.path, error) from None
        if done < skip + needed:
            raise InputError(
                f"is cut short ({max(0, done - skip)} of {needed} bytes)", remedy=REPLACE, path=self.path
            )
        if not inflate.eof:
            raise damaged(self.path, "its compressed voxels do not end")
        return content

    def _written_out(self, text: bytes, needed: int) -> NDArray[Any]:
        """Voxels as hexadecimal bytes, or as numbers."""
        try:
            if self.packing == "hex":
                return np.frombuffer(bytes.fromhex(text.decode("ascii"))[:needed], np.uint8)
            numbers = text.replace(b",", b" ").split()[: needed // self.dtype.itemsize]
            values = np.array(numbers, np.float64)
        except (ValueError, UnicodeDecodeError):
            raise damaged(self.path, "its voxels are no numbers") from None
        if len(values) * self.dtype.itemsize < needed:
            raise damaged(self.path, "it holds too few numbers")
        return values.astype(self.dtype)


def damaged(path: Path, why: object) -> InputError:
    return InputError(
        f"is not a readable NRRD, NIfTI or MHA volume, or it is damaged ({why})", remedy=REPLACE, path=path
    )


def plain_name(name: str, *, beside: Path) -> Path:
    """The file that a header calls `name`: beside it, and nowhere else. Raises `InputError` for a path."""
    name = name.removeprefix("./")
    if not name or name in (".", "..") or any(sign in name for sign in "/\\:\0"):
        raise InputError(
            f"keeps its voxels in '{name[:80]}', which is not a plain file name",
            remedy="put the file of the voxels beside its header, and write its name there",
            path=beside,
        )
    return beside.parent / name


def checked_directions(axes: Sequence[NDArray[np.float64]], *, path: Path) -> tuple[float, ...]:
    """Directions of the axes, each of length 1, as the columns of a matrix (row-major).

    Raises `InputError` where they are not finite or do not span a space.
    """
    columns = np.array(axes, np.float64).T
    lengths = np.linalg.norm(columns, axis=0)
    if not np.isfinite(columns).all() or (lengths == 0).any():
        raise damaged(path, "its axes have no direction")
    columns = np.where(np.abs(lengths - 1) < _UNIT_LENGTH, columns, columns / lengths)
    if abs(np.linalg.det(columns)) < _LEAST_DETERMINANT:
        raise damaged(path, "its axes do not span a space")
    return tuple(map(float, columns.ravel()))
