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


def healthy_tissue(
    layers: Layers, rng: np.random.Generator, *, grid: PixelGrid, body_z: Map, body_x: Map
) -> TissueMaps:
    """Properties of the healthy breast; `rng` is the patient's own texture stream."""
    z, _ = grid.coordinates()
    gland_top, gland_bottom = layers.gland_top(body_x), layers.gland_bottom(body_x)
    muscle_top, muscle_bottom = layers.muscle_top(body_x), layers.muscle_bottom(body_x)
    muscle_top = np.maximum(muscle_top, gland_bottom + 0.3)

    def field(depth_mm: float, width_mm: float) -> Map:
        return SmoothField(rng, depth_mm=depth_mm, width_mm=width_mm)(body_z, body_x)

    islands = field(2.4, 5.0) + 0.5 * field(1.2, 2.4)
    fibres = field(0.7, 4.0) + 0.6 * field(0.45, 1.8)
    bands = field(1.5, 9.0) + 0.6 * field(3.5, 6.0)
    gland_echo = layers.streak_strength * (0.6 * fibres + 0.7 * bands)
    in_fat = step(islands - np.float32(layers.gland_fat), 0.25)
    fat_echo = layers.fat_db + 1.0 * field(0.8, 2.0) + 1.5 * field(4, 8)
    gland_echo = gland_echo + in_fat * (fat_echo - gland_echo)
    muscle_echo = layers.muscle_db + layers.streak_strength * (0.8 * field(0.5, 5.0) + 0.7 * field(1.5, 12.0))
    wall_echo = np.float32(layers.muscle_db - 5) + 3.0 * field(1.0, 8.0)

    below_gland_top = step(body_z - gland_top + 0.35 * islands, 0.2)
    below_gland = step(body_z - gland_bottom + 0.25 * islands, 0.2)
    echo = fat_echo + below_gland_top * (gland_echo - fat_echo)
    echo += below_gland * (fat_echo - echo)
    echo += step(body_z - muscle_top, 0.2) * (muscle_echo - echo)
    echo += step(body_z - muscle_bottom, 0.3) * (wall_echo - echo)

    surface = np.zeros_like(echo)
    patchy = field(4, 9)
    fatty = np.maximum(1 - below_gland_top, below_gland * (body_z < muscle_top))
    for (depth_mm, width_mm), strength in (((4.0, 9.0), 1.1), ((2.4, 6.0), 0.8), ((1.5, 4.0), 0.5)):
        septa = ridges(field(depth_mm, width_mm), grid, width_mm=0.09) * patches_of(field(3, 5), share=0.1)
        surface += (fatty + 0.3 * in_fat * below_gland_top) * septa * np.float32(strength * layers.septa_strength)
    strands = ridges(field(1.4, 8.0), grid, width_mm=0.09) * patches_of(fibres + bands, share=0.2)
    surface += strands * below_gland_top * np.float32(0.7)
    for boundary, strength, share in (
        (gland_top, 1.0, 0.3),
        (gland_bottom, 1.0, 0.1),
        (muscle_top, 1.6, 0.8),
        (muscle_bottom, 1.3, 0.6),
    ):
        fascia = line(body_z - boundary + 0.15 * fibres, 0.12) * patches_of(field(4, 6), share=share)
        surface += fascia * np.float32(strength)

    skin = np.float32(layers.skin_mm)
    in_skin = step(skin - z, 0.08)
    echo += in_skin * (1.0 - echo)
    surface += line(z - 0.15, 0.15) * 1.6 + line(z - skin + 0.1 * patchy, 0.1) * patches_of(bands, share=0.6) * 1.1

    excess = 0.12 * fibres * below_gland_top * (1 - below_gland) + 0.06 * patchy
    return TissueMaps(echo, surface, excess.astype(np.float32), np.zeros(echo.shape[1], np.float32))


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
