"""The components of a recipe's `augmentation` that change intensities and leave masks alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from bustle.data.transforms.drawn_transform import IntensityStep
from bustle.data.transforms.geometric_components import between, check_probability, check_range

STEPS_PER_COMPONENT = 4
LARGEST_KERNEL = 255
"""Of a blur, in pixels: of pictures of bytes OpenCV takes no median over more."""


def _check_kernel(kernel: int) -> None:
    if not 3 <= kernel <= LARGEST_KERNEL or kernel % 2 == 0:
        raise ValueError(f"kernel must be an odd number of pixels, 3 to {LARGEST_KERNEL}")


@dataclass(frozen=True, kw_only=True)
class GaussianBlur:
    """Blurred with a Gaussian whose standard deviation, in pixels, is drawn evenly from `sigma`."""

    kernel: int
    sigma: tuple[float, float]
    probability: float = 1.0

    def __post_init__(self) -> None:
        _check_kernel(self.kernel)
        check_range(self.sigma, name="sigma", above=0)
        check_probability(self.probability)

    def draw(self, random: Generator, *, slot: int) -> tuple[IntensityStep, ...]:
        chance, sigma = random.random(2).tolist()
        if chance >= self.probability:
            return ()
        drawn = self.sigma[0] + (self.sigma[1] - self.sigma[0]) * sigma
        return (IntensityStep("gaussian_blur", (self.kernel, drawn), slot),)


@dataclass(frozen=True, kw_only=True)
class MedianBlur:
    """Every pixel becomes the median of the `kernel` x `kernel` pixels about it."""

    kernel: int
    probability: float = 1.0

    def __post_init__(self) -> None:
        _check_kernel(self.kernel)
        check_probability(self.probability)

    def draw(self, random: Generator, *, slot: int) -> tuple[IntensityStep, ...]:
        applied = float(random.random()) < self.probability
        return (IntensityStep("median_blur", (self.kernel,), slot),) if applied else ()


@dataclass(frozen=True, kw_only=True)
class ColorJitter:
    """Brightness, contrast, saturation and hue changed in random order, as torchvision's ColorJitter.

    The first three are factors drawn evenly from [max(0, 1 - v), 1 + v]; hue turns the colour circle by
    [-hue, hue] of a full turn. Saturation and hue do nothing to grey images.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    probability: float = 1.0

    def __post_init__(self) -> None:
        if min(self.brightness, self.contrast, self.saturation) < 0 or not 0 <= self.hue <= 0.5:
            raise ValueError("brightness, contrast and saturation must be at least 0, hue within 0..0.5")
        check_probability(self.probability)

    def draw(self, random: Generator, *, slot: int) -> tuple[IntensityStep, ...]:
        numbers = random.random(9).tolist()
        if numbers[8] >= self.probability:
            return ()
        steps = []
        for rank, position in enumerate(sorted(range(4), key=lambda number: numbers[4 + number])):
            name = ("brightness", "contrast", "saturation", "hue")[position]
            width = getattr(self, name)
            if width > 0:
                low, high = (-width, width) if name == "hue" else (max(0.0, 1 - width), 1 + width)
                steps.append(IntensityStep(name, (low + (high - low) * numbers[position],), slot + rank))
        return tuple(steps)


@dataclass(frozen=True, kw_only=True)
class Gamma:
    """Intensities scaled to 0..1 raised to an exponent drawn evenly from `exponent`: above 1 is darker."""

    exponent: tuple[float, float]
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.exponent, name="exponent", above=0)
        check_probability(self.probability)

    def draw(self, random: Generator, *, slot: int) -> tuple[IntensityStep, ...]:
        chance = float(random.random())
        exponent = between(random, *self.exponent)
        return (IntensityStep("gamma", (exponent,), slot),) if chance < self.probability else ()


@dataclass(frozen=True, kw_only=True)
class Speckle:
    """Multiplied by 1 + strength * noise whose grains are `grain` pixels wide; strength and grain drawn evenly.

    The noise of coherent imaging grows with the echo (Burckhardt, "Speckle in ultrasound B-mode scans", 1978).
    """

    strength: tuple[float, float] = (0.03, 0.2)
    grain: tuple[float, float] = (0.5, 2.0)
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.strength, name="strength", above=0)
        check_range(self.grain, name="grain", above=0)
        check_probability(self.probability)

    def draw(self, random: Generator, *, slot: int) -> tuple[IntensityStep, ...]:
        chance = float(random.random())
        strength, grain = between(random, *self.strength), between(random, *self.grain)
        seed = _seed(random)
        return (IntensityStep("speckle", (strength, grain, seed), slot),) if chance < self.probability else ()


@dataclass(frozen=True, kw_only=True)
class DepthGain:
    """Multiplied by a gain that changes with depth: from 2^-v at the top to 2^v at the bottom, v within +-`stops`.

    The time-gain compensation of another setting or device.
    """

    stops: float
    probability: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.stops <= 4:
            raise ValueError("stops must lie above 0 and be at most 4")
        check_probability(self.probability)

    def draw(self, random: Generator, *, slot: int) -> tuple[IntensityStep, ...]:
        chance = float(random.random())
        stops = between(random, -self.stops, self.stops)
        return (IntensityStep("depth_gain", (stops,), slot),) if chance < self.probability else ()


@dataclass(frozen=True, kw_only=True)
class ToneCurve:
    """Grey values mapped through a random rising curve that keeps black and white: another device's dynamic range.

    The curve is made of `segments` straight pieces of equal width, whose rises are exp(strength * normal noise).
    """

    strength: float
    segments: int = 4
    probability: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 2:
            raise ValueError("strength must lie above 0 and be at most 2")
        if not 2 <= self.segments <= 64:
            raise ValueError("segments must be 2 to 64")
        check_probability(self.probability)

    def draw(self, random: Generator, *, slot: int) -> tuple[IntensityStep, ...]:
        chance = float(random.random())
        rises = np.exp(self.strength * random.standard_normal(self.segments))
        heights = (255 * np.cumsum(rises) / rises.sum()).tolist()[:-1]
        return (IntensityStep("tone_curve", (0.0, *heights, 255.0), slot),) if chance < self.probability else ()


@dataclass(frozen=True, kw_only=True)
class Sharpen:
    """An unsharp mask: what a Gaussian of `sigma` pixels takes away is added once more, times `amount`.

    The edge enhancement of a device's own processing; `amount` is drawn evenly.
    """

    amount: tuple[float, float]
    sigma: float = 1.0
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_range(self.amount, name="amount", above=0)
        if not 0.3 <= self.sigma <= 10:
            raise ValueError("sigma must be 0.3 to 10 pixels")
        check_probability(self.probability)

    def draw(self, random: Generator, *, slot: int) -> tuple[IntensityStep, ...]:
        chance = float(random.random())
        amount = between(random, *self.amount)
        return (IntensityStep("sharpen", (amount, self.sigma), slot),) if chance < self.probability else ()


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Calipers and letters painted over the picture, whatever its class, so that they tell nothing about it.

    Up to `most` calipers, in a grey of 150 to 255.
    """

    most: int = 4
    probability: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.most <= 20:
            raise ValueError("most must be 1 to 20")
        check_probability(self.probability)

    def draw(self, random: Generator, *, slot: int) -> tuple[IntensityStep, ...]:
        chance = float(random.random())
        count, grey = int(random.integers(0, self.most + 1)), int(random.integers(150, 256))
        seed = _seed(random)
        return (IntensityStep("marks", (count, grey, seed), slot),) if chance < self.probability else ()


def _seed(random: Generator) -> float:
    """A whole number that single precision holds."""
    return float(random.integers(0, 2**24))
