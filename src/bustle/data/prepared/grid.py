"""The network's grid for one image or volume, and the way there and back.

What only one of them has is in the two grids' files: boxes of an image, places and numbered parts of a volume, and
what is measured in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from bustle.core.data_section import ImageData, PatchData
from bustle.core.types import Box, Geometry, ImageMapping, VolumeMapping
from bustle.data.prepared.image_grid import ImageGrid
from bustle.data.prepared.volume_grid import VolumeGrid

MaskValue = TypeVar("MaskValue", np.uint8, np.bool_)


class Grid(Protocol):
    """Where a sample lies: `geometry` as it was read, `network` as the network sees it.

    The spacing of `network` is that of its own pixels or voxels, None where the sample's is not known.
    """

    @property
    def geometry(self) -> Geometry: ...

    @property
    def mapping(self) -> ImageMapping | VolumeMapping: ...

    @property
    def network(self) -> Geometry: ...

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Intensities `C *S` on the network's grid `C *s`; the number of channels stays."""
        ...

    def mask_to_network(self, mask: NDArray[MaskValue]) -> NDArray[MaskValue]:
        """A mask or an instance map `*S` on the network's grid `*s`, the nearest pixel or voxel."""
        ...

    def map_to_original(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map `*s` of the network on the original grid `*S`, interpolated linearly."""
        ...


def grid_for(geometry: Geometry, *, section: ImageData | PatchData) -> Grid:
    """The grid on which a recipe wants a sample. Raises `InputError` for one that it does not take."""
    if isinstance(section, PatchData):
        return VolumeGrid.of(geometry, section=section)
    return ImageGrid.of(geometry, section=section)


def boxes_to_network(boxes: Sequence[Box] | None, *, grid: Grid) -> tuple[Box, ...] | None:
    """Boxes in an image on the network's grid; None where there are none, as in every volume."""
    if boxes is None or not isinstance(grid, ImageGrid):
        return None
    return tuple(map(grid.box_to_network, boxes))


def mapped_grid(geometry: Geometry, mapping: ImageMapping | VolumeMapping) -> Grid:
    """The grid of a sample whose mapping is known."""
    if isinstance(mapping, VolumeMapping):
        return VolumeGrid(geometry, mapping)
    return ImageGrid(geometry, mapping)
