"""The entry `geometry` of `prediction.json`: the original grid and how the network saw it, in one form for both."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bustle.core.types import Geometry, ImageMapping, VolumeMapping

LONGEST_EDGE = 1 << 20
"""In pixels or voxels; no image and no volume comes near."""


@dataclass(frozen=True)
class GeometryRecord:
    """What `Geometry` and the mapping of the same sample hold; what is None was not prepared for a network.

    The network sees all of a sample, so that `crop_start` is zero and `crop_size` the original size. A volume is not
    padded either.
    """

    original_size: tuple[int, ...]
    spacing: tuple[float, ...] | None = None
    origin: tuple[float, ...] | None = None
    direction: tuple[float, ...] | None = None
    crop_start: tuple[int, ...] | None = None
    crop_size: tuple[int, ...] | None = None
    resized_size: tuple[int, ...] | None = None
    pad_before: tuple[int, ...] | None = None
    network_size: tuple[int, ...] | None = None

    @classmethod
    def of(cls, geometry: Geometry, mapping: ImageMapping | VolumeMapping) -> GeometryRecord:
        return cls(
            geometry.original_size,
            geometry.spacing,
            geometry.origin,
            geometry.direction,
            crop_start=(0,) * geometry.dims,
            crop_size=geometry.original_size,
            resized_size=mapping.resized_size,
            pad_before=mapping.pad_before,
            network_size=mapping.network_size,
        )

    @property
    def geometry(self) -> Geometry:
        return Geometry(self.original_size, spacing=self.spacing, origin=self.origin, direction=self.direction)

    @property
    def mapping(self) -> ImageMapping | VolumeMapping | None:
        if self.network_size is None:
            return None
        if len(self.original_size) == 3:
            return VolumeMapping(self.network_size)
        if self.resized_size is None or self.pad_before is None:
            return None
        return ImageMapping(self.resized_size, pad_before=self.pad_before, network_size=self.network_size)

    def __post_init__(self) -> None:
        axes = len(self.original_size)
        if axes not in (2, 3):
            raise ValueError(f"original_size has {axes} axes, an image has 2 and a volume 3")
        for name in ("original_size", "resized_size", "network_size"):
            sizes = getattr(self, name)
            if sizes is not None and not (len(sizes) == axes and all(1 <= edge <= LONGEST_EDGE for edge in sizes)):
                raise ValueError(f"{name} {list(sizes)} must be {axes} numbers of 1 to {LONGEST_EDGE}")
        for name, count in (("spacing", axes), ("origin", 3), ("direction", 9), ("pad_before", axes)):
            values = getattr(self, name)
            if values is not None and not (len(values) == count and all(map(math.isfinite, values))):
                raise ValueError(f"{name} {list(values)} must be {count} numbers")
        if self.spacing is not None and not all(step > 0 for step in self.spacing):
            raise ValueError(f"spacing {list(self.spacing)} must be positive")
        if self.crop_start not in (None, (0,) * axes) or self.crop_size not in (None, self.original_size):
            raise ValueError("crop_start and crop_size must say that all of it was seen")
        if not self._is_within_network():
            raise ValueError("resized_size and pad_before do not fit network_size")

    def _is_within_network(self) -> bool:
        if len(self.original_size) == 3:
            return not any(self.pad_before or ()) and self.resized_size in (None, self.network_size)
        if self.network_size is None or self.resized_size is None or self.pad_before is None:
            return True
        edges = zip(self.pad_before, self.resized_size, self.network_size, strict=True)
        return all(0 <= before <= whole - used for before, used, whole in edges)
