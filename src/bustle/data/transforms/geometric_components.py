"""The components of a recipe's `augmentation` that move pixels.

Each draws the map from the target's to the source's pixel coordinates on a grid `(h, w)`. Turns and scalings are
about the grid's centre; positive angles turn counter-clockwise on the screen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from numpy.random import Generator

from bustle.data.transforms.drawn_transform import IDENTITY, Affine

QUARTER_TURNS = {0: (1.0, 0.0), 1: (0.0, 1.0), 2: (-1.0, 0.0), 3: (0.0, -1.0)}
"""Exact cosine and sine."""


def between(random: Generator, low: float, high: float) -> float:
    return low + (high - low) * float(random.random())


def check_probability(*probabilities: float) -> None:
    if not all(0 <= probability <= 1 for probability in probabilities):
        raise ValueError("a probability must lie between 0 and 1")


def check_range(bounds: tuple[float, float], *, name: str, above: float = -math.inf) -> None:
    if not above < bounds[0] <= bounds[1] < math.inf:
        positive = " of positive values" if above == 0 else ""
        raise ValueError(f"{name} must be [lowest, highest]{positive}")


@dataclass(frozen=True, kw_only=True)
class Rotate:
    """A turn by an angle drawn evenly from `degrees`: [lowest, highest], or d for [-d, d].

    `sign: both` negates the angle in half of the cases (ACSNet: 10 to 30 degrees either way).
    """

    degrees: float | tuple[float, float]
    probability: float = 1.0
    sign: Literal["given", "both"] = "given"

    def __post_init__(self) -> None:
        check_probability(self.probability)
        check_range(self.bounds, name="degrees")

    @property
    def bounds(self) -> tuple[float, float]:
        return self.degrees if isinstance(self.degrees, tuple) else (-self.degrees, self.degrees)

    def draw(self, random: Generator, *, size: tuple[int, int]) -> Affine:
        chance, angle, sign = random.random(3).tolist()
        if chance >= self.probability:
            return IDENTITY
        low, high = self.bounds
        degrees = low + (high - low) * angle
        if self.sign == "both" and sign < 0.5:
            degrees = -degrees
        return _turned(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), size=size)


@dataclass(frozen=True, kw_only=True)
class RightAngleRotate:
    """A turn by one of `angles`, each as likely as the others; exact on a square grid (LA-Net, section 4.3)."""

    angles: tuple[int, ...] = (0, 90, 180, 270)

    def __post_init__(self) -> None:
        if not self.angles or any(angle % 90 for angle in self.angles):
            raise ValueError("angles must be multiples of 90")

    def draw(self, random: Generator, *, size: tuple[int, int]) -> Affine:
        angle = self.angles[int(random.random() * len(self.angles))]
        cosine, sine = QUARTER_TURNS[angle // 90 % 4]
        return _turned(cosine, sine, size=size)


@dataclass(frozen=True, kw_only=True)
class Flip:
    """Mirrored left to right and top to bottom, each by itself with the given probability."""

    horizontal: float = 0.0
    vertical: float = 0.0

    def __post_init__(self) -> None:
        check_probability(self.horizontal, self.vertical)

    def draw(self, random: Generator, *, size: tuple[int, int]) -> Affine:
        horizontal, vertical = random.random(2).tolist()
        a, c = (-1.0, size[1] - 1.0) if horizontal < self.horizontal else (1.0, 0.0)
        e, f = (-1.0, size[0] - 1.0) if vertical < self.vertical else (1.0, 0.0)
        return (a, 0.0, c, 0.0, e, f)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Enlarged about the centre by a factor drawn evenly from `factor`: [lowest, highest]."""

    factor: tuple[float, float]
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_probability(self.probability)
        check_range(self.factor, name="factor", above=0)

    def draw(self, random: Generator, *, size: tuple[int, int]) -> Affine:
        chance, factor = random.random(2).tolist()
        if chance >= self.probability:
            return IDENTITY
        return _turned(1 / (self.factor[0] + (self.factor[1] - self.factor[0]) * factor), 0.0, size=size)


@dataclass(frozen=True, kw_only=True)
class Translate:
    """Shifted along each axis by up to `fraction` of the grid's size, either way."""

    fraction: float
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_probability(self.probability, self.fraction)

    def draw(self, random: Generator, *, size: tuple[int, int]) -> Affine:
        chance, y, x = random.random(3).tolist()
        if chance >= self.probability:
            return IDENTITY
        return (1.0, 0.0, (2 * x - 1) * self.fraction * size[1], 0.0, 1.0, (2 * y - 1) * self.fraction * size[0])


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A window of a part of the `area` and of a width-to-height ratio `aspect`, anywhere, enlarged to the grid.

    As torchvision's RandomResizedCrop (ratio drawn evenly on a logarithmic scale), but not bound to whole pixels.
    """

    area: tuple[float, float] = (0.75, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_probability(self.probability, *self.area)
        check_range(self.area, name="area", above=0)
        check_range(self.aspect, name="aspect", above=0)

    def draw(self, random: Generator, *, size: tuple[int, int]) -> Affine:
        if float(random.random()) >= self.probability:
            return IDENTITY
        height, width = size
        for _ in range(10):
            area = between(random, *self.area) * height * width
            aspect = math.exp(between(random, math.log(self.aspect[0]), math.log(self.aspect[1])))
            cut_width, cut_height = math.sqrt(area * aspect), math.sqrt(area / aspect)
            if cut_width <= width and cut_height <= height:
                break
        else:  # no window of these proportions fits: the whole grid
            cut_width, cut_height = float(width), float(height)
        left = (width - cut_width) * float(random.random())
        top = (height - cut_height) * float(random.random())
        return enlarged((left, top, cut_width, cut_height), size=size)


def enlarged(window: tuple[float, float, float, float], *, size: tuple[int, int]) -> Affine:
    """Source from target where a `window` (left, top, width, height) fills the grid."""
    left, top, width, height = window
    across, down = width / size[1], height / size[0]
    return (across, 0.0, left + 0.5 * across - 0.5, 0.0, down, top + 0.5 * down - 0.5)


def _turned(cosine: float, sine: float, *, size: tuple[int, int]) -> Affine:
    """Source from target for a counter-clockwise turn of the picture (y points down) about the centre."""
    y, x = (size[0] - 1) / 2, (size[1] - 1) / 2
    return (cosine, -sine, x - cosine * x + sine * y, sine, cosine, y - sine * x - cosine * y)
