"""The entry `geometry` of `prediction.json`: the original grid and how the network saw it, in one form for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bustle.core.config import from_mapping, to_mapping
from bustle.core.types import Geometry, ImageMapping, VolumeMapping


@dataclass(frozen=True)
class _Record:
    """A volume is neither cropped nor padded; what is None was not prepared for a network."""

    original_size: tuple[int, ...]
    spacing: tuple[float, ...] | None = None
    origin: tuple[float, ...] | None = None
    direction: tuple[float, ...] | None = None
    crop_start: tuple[int, ...] | None = None
    crop_size: tuple[int, ...] | None = None
    resized_size: tuple[int, ...] | None = None
    pad_before: tuple[int, ...] | None = None
    network_size: tuple[int, ...] | None = None


def geometry_record(geometry: Geometry, mapping: ImageMapping | VolumeMapping) -> dict[str, Any]:
    own = (geometry.original_size, geometry.spacing, geometry.origin, geometry.direction)
    if isinstance(mapping, VolumeMapping):
        size, zero = mapping.network_size, (0, 0, 0)
        return to_mapping(_Record(*own, zero, geometry.original_size, size, zero, size))
    steps = (mapping.crop_start, mapping.crop_size, mapping.resized_size, mapping.pad_before, mapping.network_size)
    return to_mapping(_Record(*own, *steps))


def read_geometry_record(record: Mapping[str, Any]) -> tuple[Geometry, ImageMapping | VolumeMapping | None]:
    """What `geometry_record` gave; raises `InputError` for anything else."""
    read = from_mapping(_Record, record, where="geometry")
    geometry = Geometry(read.original_size, spacing=read.spacing, origin=read.origin, direction=read.direction)
    if read.network_size is None:
        return geometry, None
    if geometry.dims == 3:
        return geometry, VolumeMapping(read.network_size)
    if read.crop_start is None or read.crop_size is None or read.resized_size is None or read.pad_before is None:
        return geometry, None
    return geometry, ImageMapping(
        read.crop_start, read.crop_size, read.resized_size, read.pad_before, read.network_size
    )
