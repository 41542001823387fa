"""The layers of the breast and their acoustic properties on a grid of body coordinates.

From the probe down: skin, subcutaneous fat with Cooper's ligaments, gland, retromammary fat, pectoral muscle between
its fasciae, and the chest wall, sometimes with a rib.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.special
from numpy.typing import NDArray

from bustle.data.phantom.anatomy import Map, PixelGrid, SmoothField, SmoothLine, draw_line


@dataclass
class TissueMaps:
    """What the scanner meets at each point of the image grid.

    `echo_db` is the level of diffuse scattering relative to gland; `surface` the amplitude of coherent reflection
    of ligaments, fasciae and capsules (1 = gland); `excess_db_per_mm` the two-way attenuation beyond that which the
    time gain makes up for; `transmission_db` a loss of the whole beam (contact loss), one value per column.
    """

    echo_db: Map
    surface: Map
    excess_db_per_mm: Map
    transmission_db: Map


@dataclass(frozen=True)
class Layers:
    """Boundaries between the layers, as depths in mm over x, and a patient's tissue character."""

    skin_mm: float
    gland_top: SmoothLine
    gland_bottom: SmoothLine
    muscle_top: SmoothLine
    muscle_bottom: SmoothLine
    fat_db: float
    muscle_db: float
    gland_fat: float  # how much of the gland is replaced by fat: threshold in standard deviations
    septa_strength: float
    streak_strength: float

    def gland_range(self) -> tuple[float, float]:
        return self.gland_top.base, self.gland_bottom.base

    def gland_mask(self, body_z: Map, body_x: Map) -> NDArray[np.bool_]:
        return (body_z >= self.gland_top(body_x)) & (body_z < self.gland_bottom(body_x))


def draw_layers(rng: np.random.Generator, *, depth_mm: float) -> Layers:
    skin = rng.uniform(1.2, 2.2)
    gland_top = skin + rng.gamma(3.0, 1.7) + 1.5
    gland_bottom = min(gland_top + rng.uniform(11, 22), 0.72 * depth_mm)
    muscle_top = gland_bottom + rng.gamma(1.2, 1.3) + 0.4
    return Layers(
        skin_mm=skin,
        gland_top=draw_line(rng, base=gland_top, amplitude=1.7),
        gland_bottom=draw_line(rng, base=gland_bottom, amplitude=1.6),
        muscle_top=draw_line(rng, base=muscle_top, amplitude=1.5),
        muscle_bottom=draw_line(rng, base=muscle_top + rng.uniform(6, 11), amplitude=1.5),
        fat_db=rng.uniform(-12, -6),
        muscle_db=rng.uniform(-13, -6),
        gland_fat=rng.uniform(0.9, 2.4),
        septa_strength=rng.uniform(0.5, 1.0),
        streak_strength=rng.uniform(2.5, 5.0),
    )


class Textures:
    """Draws smooth fields of a patient's texture stream, one after another, on the points of the image grid."""

    def __init__(self, rng: np.random.Generator, *, body_z: Map, body_x: Map):
        self._rng, self._points = rng, (body_z, body_x)

    def draw(self, depth_mm: float, width_mm: float) -> Map:
        return SmoothField(self._rng, depth_mm=depth_mm, width_mm=width_mm)(*self._points)


@dataclass(frozen=True)
class Boundaries:
    """Depths in mm of the layers' boundaries at each point's lateral position."""

    gland_top: Map
    gland_bottom: Map
    muscle_top: Map
    muscle_bottom: Map


@dataclass(frozen=True)
class Gland:
    """What echoes, reflections and attenuation of the gland have in common.

    `islands`, `fibres` and `bands` are its textures; `in_fat` is the share of a point that fat has replaced;
    `below_top` and `below_bottom` are 1 beneath the gland's boundaries and 0 above.
    """

    islands: Map
    fibres: Map
    bands: Map
    in_fat: Map
    below_top: Map
    below_bottom: Map


def healthy_tissue(
    layers: Layers, rng: np.random.Generator, *, grid: PixelGrid, body_z: Map, body_x: Map
) -> TissueMaps:
    """Properties of the healthy breast; `rng` is the patient's own texture stream."""
    z, _ = grid.coordinates()
    textures = Textures(rng, body_z=body_z, body_x=body_x)
    gland_bottom = layers.gland_bottom(body_x)
    boundaries = Boundaries(
        gland_top=layers.gland_top(body_x),
        gland_bottom=gland_bottom,
        muscle_top=np.maximum(layers.muscle_top(body_x), gland_bottom + 0.3),
        muscle_bottom=layers.muscle_bottom(body_x),
    )
    gland = _gland(layers, textures, boundaries=boundaries, body_z=body_z)
    echo = _echo(layers, textures, gland=gland, boundaries=boundaries, body_z=body_z)
    patchy = textures.draw(4, 9)
    surface = _surface(layers, textures, gland=gland, boundaries=boundaries, grid=grid, body_z=body_z)

    skin = np.float32(layers.skin_mm)
    in_skin = step(skin - z, 0.08)
    echo += in_skin * (1.0 - echo)
    surface += (
        line(z - 0.15, 0.15) * 1.6 + line(z - skin + 0.1 * patchy, 0.1) * patches_of(gland.bands, share=0.6) * 1.1
    )

    excess = 0.12 * gland.fibres * gland.below_top * (1 - gland.below_bottom) + 0.06 * patchy
    return TissueMaps(echo, surface, excess.astype(np.float32), np.zeros(echo.shape[1], np.float32))


def _gland(layers: Layers, textures: Textures, *, boundaries: Boundaries, body_z: Map) -> Gland:
    islands = textures.draw(2.4, 5.0) + 0.5 * textures.draw(1.2, 2.4)
    return Gland(
        islands=islands,
        fibres=textures.draw(0.7, 4.0) + 0.6 * textures.draw(0.45, 1.8),
        bands=textures.draw(1.5, 9.0) + 0.6 * textures.draw(3.5, 6.0),
        in_fat=step(islands - np.float32(layers.gland_fat), 0.25),
        below_top=step(body_z - boundaries.gland_top + 0.35 * islands, 0.2),
        below_bottom=step(body_z - boundaries.gland_bottom + 0.25 * islands, 0.2),
    )


def _echo(layers: Layers, textures: Textures, *, gland: Gland, boundaries: Boundaries, body_z: Map) -> Map:
    """Diffuse scattering in dB from fat down to the chest wall, without the skin."""
    gland_echo = layers.streak_strength * (0.6 * gland.fibres + 0.7 * gland.bands)
    fat_echo = layers.fat_db + 1.0 * textures.draw(0.8, 2.0) + 1.5 * textures.draw(4, 8)
    gland_echo = gland_echo + gland.in_fat * (fat_echo - gland_echo)
    streaks = 0.8 * textures.draw(0.5, 5.0) + 0.7 * textures.draw(1.5, 12.0)
    muscle_echo = layers.muscle_db + layers.streak_strength * streaks
    wall_echo = np.float32(layers.muscle_db - 5) + 3.0 * textures.draw(1.0, 8.0)

    echo = fat_echo + gland.below_top * (gland_echo - fat_echo)
    echo += gland.below_bottom * (fat_echo - echo)
    echo += step(body_z - boundaries.muscle_top, 0.2) * (muscle_echo - echo)
    echo += step(body_z - boundaries.muscle_bottom, 0.3) * (wall_echo - echo)
    return echo


def _surface(
    layers: Layers, textures: Textures, *, gland: Gland, boundaries: Boundaries, grid: PixelGrid, body_z: Map
) -> Map:
    """Coherent reflection of ligaments in fat, of strands in the gland and of the fasciae, without the skin."""
    surface = np.zeros_like(gland.fibres)
    fatty = np.maximum(1 - gland.below_top, gland.below_bottom * (body_z < boundaries.muscle_top))
    for (depth_mm, width_mm), strength in (((4.0, 9.0), 1.1), ((2.4, 6.0), 0.8), ((1.5, 4.0), 0.5)):
        septa = ridges(textures.draw(depth_mm, width_mm), grid, width_mm=0.09)
        septa *= patches_of(textures.draw(3, 5), share=0.1)
        surface += (
            (fatty + 0.3 * gland.in_fat * gland.below_top) * septa * np.float32(strength * layers.septa_strength)
        )
    strands = ridges(textures.draw(1.4, 8.0), grid, width_mm=0.09) * patches_of(gland.fibres + gland.bands, share=0.2)
    surface += strands * gland.below_top * np.float32(0.7)
    for boundary, strength, share in (
        (boundaries.gland_top, 1.0, 0.3),
        (boundaries.gland_bottom, 1.0, 0.1),
        (boundaries.muscle_top, 1.6, 0.8),
        (boundaries.muscle_bottom, 1.3, 0.6),
    ):
        fascia = line(body_z - boundary + 0.15 * gland.fibres, 0.12) * patches_of(textures.draw(4, 6), share=share)
        surface += fascia * np.float32(strength)
    return surface


def step(distance: Map, softness: float) -> Map:
    """0 to 1 across zero, in about four times `softness`."""
    return scipy.special.expit(np.asarray(distance, np.float32) / np.float32(softness))


def line(distance: Map, half_width: float) -> Map:
    return np.exp(-np.square(np.asarray(distance, np.float32) / np.float32(half_width)))


def patches_of(field: Map, *, share: float) -> Map:
    """Uneven strengths of about 0 to 2: structures come and go along their length; a higher `share` keeps more."""
    return np.float32(2) * step(field + np.float32(share - 0.3), 0.45) ** np.float32(1.5)


def ridges(field: Map, grid: PixelGrid, *, width_mm: float) -> Map:
    """Thin sheets where a smooth field changes sign, brighter where they lie across the beam."""
    along_z, along_x = np.gradient(field, np.float32(grid.row_mm), np.float32(grid.column_mm))
    slope = np.hypot(along_z, along_x) + np.float32(1e-3)
    across_beam = (np.abs(along_z) / slope) ** np.float32(1.5)
    return line(field / slope, width_mm) * across_beam
