"""The healthy breast slice by slice: layers and texture that go on from one slice to the next, nipple and ribs.

The same layers, levels and structures as `tissue.py`, from fields that are smooth along the slices as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.data.phantom.anatomy import Map, PixelGrid
from bustle.data.phantom.tissue import TissueMaps, line, patches_of, step
from bustle.data.phantom.volume_anatomy import BreastLayers, ProbePosition, SmoothVolume, VoxelGrid

TOP_OF_SLOPE_MM = 2.5
"""Half the height over which the nipple and a ligament take the sound away."""

EDGE_REACH_MM, FASCIA_REACH_MM = 3.0, 1.5
"""Beyond these distances a boundary is not felt."""

SHEET_MM = 0.09
"""Half the thickness of a septum."""


@dataclass(frozen=True)
class Findings:
    """What may be taken for a lesion or its shadow, in body coordinates (mm)."""

    nipple_radius: float
    nipple_db_per_mm: float
    ligaments: NDArray[np.float64]  # n x 5: s, z, x, half width, dB per mm
    rib_spacing: float
    rib_phase: float
    rib_turn: float
    contact_mm: tuple[float, float]  # half axes, along s and x, of the skin that the probe touches
    contact_loss_db: float


def draw_findings(rng: np.random.Generator, layers: BreastLayers, grid: VoxelGrid) -> Findings:
    count = int(rng.integers(3, 9))
    top, bottom = layers.character.gland_range()
    ligaments = np.column_stack(
        [
            rng.uniform(-75, 75, count),
            rng.uniform(layers.character.skin_mm + 1, 0.5 * (top + bottom), count),
            rng.uniform(-30, 30, count),
            rng.uniform(0.6, 2.0, count),
            rng.uniform(2, 5, count),
        ]
    )
    half_s, half_x = grid.half_mm
    return Findings(
        nipple_radius=float(rng.uniform(4, 6.5)),
        nipple_db_per_mm=float(rng.uniform(3.5, 7)),
        ligaments=ligaments,
        rib_spacing=float(rng.uniform(19, 25)),
        rib_phase=float(rng.uniform(0, 1)),
        rib_turn=float(rng.uniform(-0.5, 0.5)),
        contact_mm=(half_s * float(rng.uniform(0.93, 1.1)), half_x * float(rng.uniform(0.98, 1.2))),
        contact_loss_db=float(rng.uniform(10, 25)),
    )


class HealthyBreast:
    """One patient's breast under the probe; `rng` is the patient's texture stream, the same in all views."""

    def __init__(
        self,
        rng: np.random.Generator,
        layers: BreastLayers,
        findings: Findings,
        grid: VoxelGrid,
        at: ProbePosition,
    ):
        def field(depth_mm: float, width_mm: float) -> SmoothVolume:
            return SmoothVolume(rng, grid, at, depth_mm=depth_mm, width_mm=width_mm)

        self._layers, self._findings, self._grid, self._at = layers, findings, grid, at
        self._islands = field(2.4, 5.0), field(1.2, 2.4)
        self._fibres = field(0.7, 4.0), field(0.45, 1.8)
        self._bands = field(1.5, 9.0), field(3.5, 6.0)
        self._fat = field(0.8, 2.0), field(4.0, 8.0)
        self._patchy = field(4.0, 9.0)
        self._septa = field(4.0, 9.0), field(2.4, 6.0), field(1.5, 4.0)
        self._septa_patches = field(3.0, 5.0)
        self._strands = field(1.4, 8.0)
        self._z, self._x = grid.plane.coordinates()

    def maps(self, s: float) -> TissueMaps:
        """Properties of the slice at grid position `s` in mm."""
        character = self._layers.character
        z, body_x = self._z, (self._x[0] + self._at.x).astype(np.float32)
        body_s = np.full_like(body_x, s + self._at.s)
        edges = self._layers.boundaries(body_s, body_x)
        islands = self._islands[0](s) + np.float32(0.5) * self._islands[1](s)
        fibres = self._fibres[0](s) + np.float32(0.6) * self._fibres[1](s)
        bands = self._bands[0](s) + np.float32(0.6) * self._bands[1](s)
        patchy = self._patchy(s)

        fat_echo = np.float32(character.fat_db) + self._fat[0](s) + np.float32(1.5) * self._fat[1](s)
        in_fat = step(islands - np.float32(character.gland_fat), 0.25)
        gland_echo = np.float32(character.streak_strength) * (np.float32(0.6) * fibres + np.float32(0.7) * bands)
        gland_echo += in_fat * (fat_echo - gland_echo)
        stripes = np.float32(0.7 * character.streak_strength) * (fibres + bands)
        muscle_echo = np.float32(character.muscle_db) + stripes
        below_gland_top = self._below(edges.gland_top, np.float32(0.35) * islands, softness=0.2)
        below_gland = self._below(edges.gland_bottom, np.float32(0.25) * islands, softness=0.2)
        below_muscle_top = self._below(edges.muscle_top, softness=0.2)
        in_gland = below_gland_top * (1 - below_gland)
        echo = fat_echo + in_gland * (gland_echo - fat_echo)
        echo += below_muscle_top * (muscle_echo - echo)
        echo += self._below(edges.muscle_bottom, softness=0.3) * (character.muscle_db - 5 + bands - echo)

        surface = self._sheets(s, in_gland, in_fat, below_muscle_top, fibres + bands)
        for boundary, strength, share in (
            (edges.gland_top, 1.0, 0.3),
            (edges.gland_bottom, 1.0, 0.1),
            (edges.muscle_top, 1.6, 0.8),
            (edges.muscle_bottom, 1.3, 0.6),
        ):
            row = np.clip((boundary / self._grid.plane.row_mm).astype(np.intp), 0, self._grid.plane.rows - 1)
            patches = patches_of(patchy[row, np.arange(row.size)], share=share)
            near = self._rows_near(boundary, FASCIA_REACH_MM)
            offset = z[near] - boundary + np.float32(0.15) * fibres[near]
            surface[near] += line(offset, 0.12) * (patches * np.float32(strength))

        skin = np.float32(character.skin_mm)
        in_skin = step(skin - z[:, :1], 0.08)
        echo += in_skin * (1 - echo)
        surface += line(z[:, :1] - 0.15, 0.15) * np.float32(1.6)
        surface += line(z[:, :1] - skin, 0.1) * np.float32(0.8) * (1 + np.float32(0.5) * bands)

        excess = np.float32(0.12) * fibres * in_gland + np.float32(0.06) * patchy
        maps = TissueMaps(echo, np.maximum(surface, 0), excess, self._transmission_db(s, patchy[0]))
        self._add_shadows(maps, body_s, body_x)
        self._add_ribs(maps, edges.muscle_bottom, body_s, body_x)
        return maps

    def _rows_near(self, boundary: Map, margin_mm: float) -> slice:
        """The rows that come within `margin_mm` of a boundary somewhere: all else is far above it or far below."""
        plane = self._grid.plane
        first = int((boundary.min() - margin_mm) / plane.row_mm)
        last = int((boundary.max() + margin_mm) / plane.row_mm)
        return slice(max(0, min(first, plane.rows)), max(0, min(last + 1, plane.rows)))

    def _below(self, boundary: Map, ragged: Map | None = None, *, softness: float) -> Map:
        """1 below a boundary, 0 above it."""
        below, near = np.zeros_like(self._z), self._rows_near(boundary, EDGE_REACH_MM)
        below[near.stop :] = 1
        depth = self._z[near] - boundary
        below[near] = step(depth if ragged is None else depth + ragged[near], softness)
        return below

    def _sheets(self, s: float, in_gland: Map, in_fat: Map, below_muscle_top: Map, streaks: Map) -> Map:
        """Cooper's ligaments and septa in fat, strands in the gland: where smooth fields change sign."""
        plane, character = self._grid.plane, self._layers.character
        septa = np.zeros_like(in_gland)
        for field, strength in zip(self._septa, (1.1, 0.8, 0.5), strict=True):
            septa += _ridges(field(s), plane) * np.float32(strength * character.septa_strength)
        septa *= patches_of(self._septa_patches(s), share=0.1)
        fatty = (1 - in_gland) * (1 - below_muscle_top) + np.float32(0.3) * in_fat * in_gland
        strands = _ridges(self._strands(s), plane) * patches_of(streaks, share=0.2)
        return fatty * septa + strands * np.maximum(in_gland, below_muscle_top) * np.float32(0.7)

    def _transmission_db(self, s: float, ragged: Map) -> Map:
        """The probe lifts off where the breast curves away: per column, negative."""
        found = self._findings
        outwards = (s / found.contact_mm[0]) ** 4 + (self._x[0] / found.contact_mm[1]) ** 4
        return -step(outwards - 1 + np.float32(0.08) * ragged, 0.07) * np.float32(found.contact_loss_db)

    def _add_shadows(self, maps: TissueMaps, body_s: Map, body_x: Map) -> None:
        """The nipple's shadow widens little with depth; those of ligaments start at a point."""
        found, z = self._findings, self._z
        from_nipple = np.hypot(body_s, body_x)
        if from_nipple.min() < 3 * found.nipple_radius:
            in_nipple = line(z[:, :1] - np.float32(self._layers.character.skin_mm), TOP_OF_SLOPE_MM)
            nipple = step(found.nipple_radius - from_nipple, 0.7)
            maps.excess_db_per_mm += in_nipple * (nipple * np.float32(found.nipple_db_per_mm))
        for at_s, at_z, at_x, half_width, strength in found.ligaments:
            distance = np.hypot(body_s - np.float32(at_s), body_x - np.float32(at_x))
            if distance.min() < 3 * half_width:
                depth = line(z[:, :1] - np.float32(at_z), 1.5)
                maps.excess_db_per_mm += depth * (line(distance, half_width) * np.float32(strength))

    def _add_ribs(self, maps: TissueMaps, muscle_bottom: Map, body_s: Map, body_x: Map) -> None:
        """Ribs run aslant under the muscle: bright arcs with black behind them."""
        found = self._findings
        across = body_s * np.float32(np.cos(found.rib_turn)) + body_x * np.float32(np.sin(found.rib_turn))
        from_middle = ((across / found.rib_spacing + found.rib_phase) % 1 - 0.5) * found.rib_spacing
        extent = step(5.5 - np.abs(from_middle), 0.4)
        if extent.max() > 0.01:
            arc = self._z - muscle_bottom - (0.5 + 0.04 * np.square(from_middle)).astype(np.float32)
            maps.surface += line(arc, 0.3) * (extent * np.float32(2))
            maps.excess_db_per_mm += step(arc, 0.3) * (extent * np.float32(2.5))


def _ridges(field: Map, plane: PixelGrid) -> Map:
    """Thin sheets where a smooth field changes sign, brighter where they lie across the beam (as `tissue.ridges`)."""
    difference = np.array([-0.5, 0, 0.5], np.float32)
    down = np.square(cv2.filter2D(field, -1, difference[:, None] / np.float32(plane.row_mm)))
    slope = np.square(cv2.filter2D(field, -1, difference[None] / np.float32(plane.column_mm)))
    slope += down
    slope += np.float32(1e-6)
    down /= slope
    return down * np.exp(np.square(field) / (slope * np.float32(-(SHEET_MM**2))))
