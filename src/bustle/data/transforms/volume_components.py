"""The components of a volume recipe's `augmentation`, on cubic voxels with the axes (slice, depth, lateral).

Each draws a linear map from the target's to the source's voxel offsets; turns, flips and scalings are about the
patch's centre. The elastic component draws control points instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bustle.data.transforms.geometric_components import between, check_probability, check_range

Linear = NDArray[np.float64]
"""3 x 3: source offset = matrix @ target offset, in voxels."""


@dataclass(frozen=True, kw_only=True)
class Rotate:
    """A turn about the depth axis by up to ± `depth_axis` degrees, then about the two others by up to ± `other_axes`.

    The scanner looks along the depth axis, so that skin and shadows stay where they are when it turns about that.
    """

    depth_axis: float
    other_axes: float

    def __post_init__(self) -> None:
        if not 0 <= self.depth_axis <= 180 or not 0 <= self.other_axes <= 180:
            raise ValueError("depth_axis and other_axes must lie between 0 and 180 degrees")

    def draw(self, random: Generator) -> Linear:
        tilt_slices, turn, tilt_lateral = (math.radians(between(random, -1, 1)) for _ in range(3))
        about_depth = _turn(1, turn * self.depth_axis)
        return about_depth @ _turn(0, tilt_slices * self.other_axes) @ _turn(2, tilt_lateral * self.other_axes)


def _turn(axis: int, angle: float) -> Linear:
    first, second = (other for other in range(3) if other != axis)
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = math.cos(angle)
    matrix[first, second], matrix[second, first] = -math.sin(angle), math.sin(angle)
    return matrix


@dataclass(frozen=True, kw_only=True)
class Flip:
    """Mirrored along an axis with that axis's probability."""

    slices: float = 0.0
    depth: float = 0.0
    lateral: float = 0.0

    def __post_init__(self) -> None:
        check_probability(self.slices, self.depth, self.lateral)

    def draw(self, random: Generator) -> Linear:
        chances = random.random(3)
        return np.diag(np.where(chances < (self.slices, self.depth, self.lateral), -1.0, 1.0))


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Enlarged by a factor drawn evenly from `factor`, the same along all axes."""

    factor: tuple[float, float]
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.factor, name="factor", above=0)
        check_probability(self.probability)

    def draw(self, random: Generator) -> Linear:
        chance, factor = float(random.random()), between(random, *self.factor)
        return np.eye(3) / factor if chance < self.probability else np.eye(3)


@dataclass(frozen=True, kw_only=True)
class Elastic:
    """Moved by a cubic B-spline whose control points, `spacing` voxels apart, are displaced by Gaussian amounts.

    `sigma` is their standard deviation in voxels along each axis (free-form deformation, Rueckert et al. 1999).
    """

    spacing: float
    sigma: float
    probability: float = 1.0

    def __post_init__(self) -> None:
        if self.spacing < 1 or self.sigma <= 0:
            raise ValueError("spacing must be at least 1 voxel, sigma positive")
        check_probability(self.probability)

    def draw(self, random: Generator, *, size: tuple[int, ...]) -> NDArray[np.float32] | None:
        """Displacements `3 d h w` of the control points for a patch of `size`, or None where it does not apply."""
        applies = float(random.random()) < self.probability
        points = tuple(control_points(length, spacing=self.spacing) for length in size)
        drawn = random.normal(0, self.sigma, (3, *points)).astype(np.float32)
        return drawn if applies else None


def control_points(length: int, *, spacing: float) -> int:
    """How many control points an axis of `length` voxels needs: four take part in every voxel's displacement."""
    return math.floor((length - 1) / spacing) + 4


def spline_weights(length: int, *, spacing: float) -> NDArray[np.float32]:
    """Cubic B-spline weights `length x control points`; every row sums to one."""
    place = np.arange(length) / spacing
    first = np.floor(place).astype(np.int64)
    t = place - first
    four = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    weights = np.zeros((length, control_points(length, spacing=spacing)), np.float32)
    for number in range(4):
        weights[np.arange(length), first + number] = four[:, number]
    return weights
