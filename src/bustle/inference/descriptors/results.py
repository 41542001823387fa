"""The measured descriptors of one lesion, typed; `definitions` says what each of them means.

Lengths are in `unit`, areas and volumes in its square and cube. A value is None where it cannot be measured: where
there is no tissue to compare with, or no direction in a round outline.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class EchoDescriptors:
    """What grey values say, the same for images and volumes."""

    echo_level: float
    echo_contrast: float | None
    fat_contrast: float | None
    edge_contrast: float | None
    edge_direction: float | None
    rim_contrast: float | None
    posterior_contrast: float | None
    echo_sd: float
    echo_entropy: float
    glcm_contrast: float | None
    glcm_homogeneity: float | None
    glcm_correlation: float | None


@dataclass(frozen=True, kw_only=True)
class ImageShape:
    """What the outline of a lesion in an image says."""

    longest_diameter: float
    perpendicular_diameter: float
    depth: float
    width: float
    depth_width_ratio: float
    area: float
    equivalent_diameter: float
    orientation: float | None
    axis_ratio: float
    circularity: float
    solidity: float
    convexity: float
    ellipse_deviation: float
    margin_roughness: float
    lobes: int
    deepest_indentation: float


@dataclass(frozen=True, kw_only=True)
class VolumeShape:
    """What the surface of a lesion in a volume says."""

    longest_diameter: float
    middle_diameter: float
    shortest_diameter: float
    length: float
    depth: float
    width: float
    depth_width_ratio: float
    volume: float
    equivalent_diameter: float
    orientation: float | None
    axis_ratio: float
    sphericity: float
    solidity: float


@dataclass(frozen=True, kw_only=True)
class BiradsWords:
    """Measured descriptors in the words of BI-RADS (ACR, 5th edition, 2013): of what was measured, no category.

    `margin` is None in volumes; the others are None where what they are told from could not be measured.
    """

    shape: Literal["oval", "round", "irregular"] | None
    orientation: Literal["parallel", "not parallel"]
    margin: Literal["circumscribed", "not circumscribed"] | None
    echo_pattern: Literal["anechoic", "hypoechoic", "isoechoic", "hyperechoic"] | None
    posterior_features: Literal["no posterior features", "enhancement", "shadowing"] | None

    def by_name(self) -> dict[str, str | None]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, kw_only=True)
class LesionDescriptors:
    """One lesion: `number` is that of the instance map, of a mask it counts from 1, the largest first.

    `start` and `stop` (exclusive) are its box in pixels.

    `touches_edge`: it is cut off by the edge of the picture, so that its shape and size are those of a part.
    `indistinct_share` is None in volumes.
    """

    number: int
    start: tuple[int, ...]
    stop: tuple[int, ...]
    unit: Literal["mm", "px"]
    touches_edge: bool
    shape: ImageShape | VolumeShape
    echo: EchoDescriptors
    indistinct_share: float | None
    words: BiradsWords

    def values(self) -> dict[str, float | None]:
        """All measured values by their names in `DEFINITIONS`."""
        found: dict[str, float | None] = {}
        for group in (self.shape, self.echo):
            found |= {field.name: getattr(group, field.name) for field in fields(group)}
        return found | {"indistinct_share": self.indistinct_share}
