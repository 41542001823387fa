"""What an augmentation is once its random parameters are fixed: plain numbers that any executor can apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

Affine = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x' = a x + b y + c, y' = d x + e y + f, in pixels; a pixel's centre has whole coordinates."""

IDENTITY: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class IntensityStep(NamedTuple):
    """One change of grey values or colours.

    `name` is one of `brightness`, `contrast`, `saturation` (value: factor), `hue` (value: turn, -0.5..0.5), `gamma`
    (value: exponent), `gaussian_blur` (values: kernel, sigma), `median_blur` (value: kernel), `speckle` (values:
    strength, grain, seed), `depth_gain` (value: stops), `marks` (values: count, grey, seed), `sharpen` (values:
    amount, sigma), `tone_curve` (values: the heights of a curve over equal steps from black to white). `slot`
    orders the steps of one case, and equal slots of different cases stem from the same place of the recipe.
    """

    name: str
    values: tuple[float, ...]
    slot: int


@dataclass(frozen=True, slots=True)
class DrawnTransform:
    """Steps `before`, one warp, steps `after`.

    The warp is `source_from_target`: the value at (x, y) of the result is read at the mapped place of the source.
    Images are read bilinearly, masks at the nearest pixel; outside of the source lies 0. `avoids_lesions`: a window
    beside the lesions was drawn; if none is in view in the end, the picture is a normal one.
    """

    source_from_target: Affine = IDENTITY
    before: tuple[IntensityStep, ...] = ()
    after: tuple[IntensityStep, ...] = ()
    avoids_lesions: bool = False

    @property
    def moves(self) -> bool:
        """Whether the warp changes anything."""
        return self.source_from_target != IDENTITY

    @property
    def keeps_pixels_whole(self) -> bool:
        """Whether the warp only permutes pixels (flips, right angles), so that nothing is interpolated."""
        a, b, c, d, e, f = self.source_from_target
        whole = all(value.is_integer() for value in (a, b, c, d, e, f))
        return whole and abs(a) + abs(b) == 1 and abs(d) + abs(e) == 1


def composed(first: Affine, second: Affine) -> Affine:
    """The map x -> first(second(x))."""
    a, b, c, d, e, f = first
    p, q, r, s, t, u = second
    return (a * p + b * s, a * q + b * t, a * r + b * u + c, d * p + e * s, d * q + e * t, d * r + e * u + f)
