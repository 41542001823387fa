"""Where each frame of encapsulated pixel data stands, found in one pass over the fragments' headers.

A library that looks for a frame from the beginning each time is slower with every frame of a clip. An offset table is
believed only where it agrees with the fragments.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from bustle.core.errors import InputError
from bustle.io.dicom.header import REPLACE, Header, damaged

_ITEM, _END = 0xFFFEE000, 0xFFFEE0DD
_ENDS_OF_IMAGE = (b"\xff\xd9",)
_TAIL = 10
_MOST_FRAGMENTS = 1_000_000


@dataclass(frozen=True)
class Fragment:
    """Where the content of a fragment begins, and its bytes."""

    start: int
    length: int


def frames_of(header: Header, *, frames: int) -> tuple[tuple[Fragment, ...], ...]:
    """The fragments of each frame.

    Raises `InputError` for a file that is cut short, and where fragments and frames do not fit together.
    """
    assert header.pixels is not None
    with header.opened() as stream:
        table, fragments = _items(stream, header)
        if frames == 1:
            return (tuple(fragments),)
        if len(fragments) < frames:
            raise InputError(f"declares {frames} frames and holds {len(fragments)}", remedy=REPLACE, path=header.path)
        if len(fragments) == frames:
            return tuple((fragment,) for fragment in fragments)
        return _by_table(table, fragments, frames=frames) or _by_ends(stream, fragments, header, frames=frames)


def _items(stream: BinaryIO, header: Header) -> tuple[tuple[int, ...], list[Fragment]]:
    """The basic offset table and the fragments after it."""
    assert header.pixels is not None
    path, end, at = header.path, header.size, header.pixels.start
    table: tuple[int, ...] | None = None
    fragments: list[Fragment] = []
    while at + 8 <= end:
        stream.seek(at)
        group, element, length = struct.unpack("<HHI", stream.read(8))
        tag = group << 16 | element
        if tag == _END:
            break
        if tag != _ITEM:
            raise damaged(path, "its pixel data are not made of fragments")
        if at + 8 + length > end:
            raise InputError(f"is cut short in frame {len(fragments) + 1}", remedy=REPLACE, path=path)
        if table is None:
            content = stream.read(length)
            table = struct.unpack(f"<{length // 4}I", content[: length // 4 * 4])
        else:
            fragments.append(Fragment(at + 8, length))
        if len(fragments) > _MOST_FRAGMENTS:
            raise damaged(path, f"it has more than {_MOST_FRAGMENTS:,} fragments")
        at += 8 + length
    if not fragments:
        raise InputError("holds no pixel data", remedy=REPLACE, path=path)
    return table or (), fragments


def _by_table(
    table: Sequence[int], fragments: Sequence[Fragment], *, frames: int
) -> tuple[tuple[Fragment, ...], ...] | None:
    """Frames by the offset table; None where it is absent or points elsewhere than to fragments."""
    first = fragments[0].start - 8
    number_of = {fragment.start - 8 - first: number for number, fragment in enumerate(fragments)}
    if len(table) != frames or table[0] != 0 or any(offset not in number_of for offset in table):
        return None
    starts = [*(number_of[offset] for offset in table), len(fragments)]
    if any(stop <= start for start, stop in itertools.pairwise(starts)):
        return None
    return tuple(tuple(fragments[start:stop]) for start, stop in itertools.pairwise(starts))


def _by_ends(
    stream: BinaryIO, fragments: Sequence[Fragment], header: Header, *, frames: int
) -> tuple[tuple[Fragment, ...], ...]:
    """Frames end with the fragments that end as a JPEG's or JPEG 2000's code stream does."""
    found: list[tuple[Fragment, ...]] = []
    current: list[Fragment] = []
    for fragment in fragments:
        current.append(fragment)
        stream.seek(fragment.start + max(0, fragment.length - _TAIL))
        tail = stream.read(min(_TAIL, fragment.length))
        if any(end in tail for end in _ENDS_OF_IMAGE):
            found.append(tuple(current))
            current = []
    if current or len(found) != frames:
        raise InputError(
            f"declares {frames} frames in {len(fragments)} fragments, and its offset table does not say which belong "
            "together",
            remedy=REPLACE,
            path=header.path,
        )
    return tuple(found)
