"""What a cache folder says about itself: `index.json`, with checksums of the arrays beside it and of its own text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.core.types import Geometry

FORMAT = 3
"""Raised whenever the files' form or the preprocessing changes: older caches are then made again."""


@dataclass(frozen=True, kw_only=True)
class CachedCase:
    """What is known of a cached case besides its pixels; `boxes` are in pixels of the network's grid.

    `geometry` is that of the original grid, `network_size` the size on the network's.
    """

    case_id: str
    source: str
    patient_id: str | None
    label: str | None
    has_mask: bool
    has_gland: bool
    boxes: tuple[tuple[int, ...], ...] | None
    geometry: Geometry
    network_size: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class CacheIndex:
    """The content of `index.json`. `prepared_for` is what of the recipe's data section decides the pixels.

    `shapes` are those of the stored arrays; volumes, whose sizes differ, lie one after the other in flat ones.
    """

    format: int
    key: str
    prepared_for: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]
    sha256: Mapping[str, str]
    cases: tuple[CachedCase, ...]


def intact(index: CacheIndex, arrays: Mapping[str, NDArray]) -> bool:
    return all(
        array.dtype == np.uint8
        and array.shape == index.shapes[name]
        and array.flags.c_contiguous
        and hashlib.sha256(array.data).hexdigest() == index.sha256[name]
        for name, array in arrays.items()
    )


def write_index(folder: Path, index: CacheIndex) -> None:
    content = to_mapping(index)
    write_json(folder / "index.json", {"checksum": _checksum(content), **content})


def read_index(path: Path) -> CacheIndex | None:
    """Read `index.json`; None if it is missing, damaged or of another format."""
    try:
        content = read_json(path)
        if not isinstance(content, dict) or content.pop("checksum", None) != _checksum(content):
            return None
        return from_mapping(CacheIndex, content, where="index") if content["format"] == FORMAT else None
    except InputError:
        return None


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
