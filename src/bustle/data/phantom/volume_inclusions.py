"""Puts a lesion into the slices that it or its surroundings reach, and outlines it there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bustle.data.phantom.anatomy import Map
from bustle.data.phantom.tissue import TissueMaps, line, step
from bustle.data.phantom.volume_anatomy import ProbePosition, SmoothVolume, VoxelGrid
from bustle.data.phantom.volume_lesions import LesionBody, look_up

AROUND_MM = 9.0
"""Beyond this distance no halo or strand is left."""


class ImplantedLesion:
    """A lesion on the grid of one view; `rng` is the patient's texture stream after that of the healthy breast."""

    def __init__(self, rng: np.random.Generator, lesion: LesionBody, grid: VoxelGrid, at: ProbePosition):
        self._lesion, self._grid, self._at = lesion, grid, at
        self._texture = SmoothVolume(rng, grid, at, depth_mm=0.9, width_mm=1.4)
        self._patches = SmoothVolume(rng, grid, at, depth_mm=3.0, width_mm=4.0)
        z, x = grid.plane.coordinates()
        self._window = (
            _window(z[:, 0], lesion.z, lesion.reach_mm[1]),
            _window(x[0], lesion.x - at.x, lesion.reach_mm[2]),
        )
        self._z, self._x = (np.ascontiguousarray(a[self._window]) for a in (z, (x + np.float32(at.x))))

    def add(self, maps: TissueMaps, s: float) -> NDArray[np.bool_]:
        """Write scattering, capsule, halo, strands, calcifications and attenuation; returns the mask."""
        lesion, window = self._lesion, self._window
        mask = np.zeros(maps.echo_db.shape, np.bool_)
        below, beyond = lesion.reach_mm[0]
        if not -below - AROUND_MM < s + self._at.s - lesion.s < beyond + AROUND_MM:
            return mask
        distance, polar, azimuth = lesion.directions(np.full_like(self._z, s + self._at.s), self._z, self._x)
        outside = distance - look_up(lesion.radius, polar, azimuth)
        core = distance - look_up(lesion.core_radius, polar, azimuth)
        mask[window] = outside < 0
        texture, patches = self._texture(s)[window], self._patches(s)[window]
        echo, surface, excess = maps.echo_db[window], maps.surface[window], maps.excess_db_per_mm[window]
        inside = step(-(outside + np.float32(0.6 * lesion.edge_mm) * texture), lesion.edge_mm / 3)
        if lesion.halo_mm:
            reach = np.clip(core, 0, None)
            halo = np.exp(-reach / np.float32(lesion.halo_mm)) * step(core, 0.2) * step(patches + 0.8, 0.4)
            echo += halo * np.clip(3.5 - echo, 0, None)
            echo += look_up(lesion.strands, polar, azimuth) * np.exp(-reach / np.float32(3)) * (core > 0)
        level = np.float32(lesion.echo_db) + np.float32(lesion.texture_db) * (texture + np.float32(0.6) * patches)
        echo += inside * (level - echo)
        surface *= 1 - inside
        excess *= 1 - inside
        excess -= inside * np.float32(lesion.posterior_db / sum(lesion.reach_mm[1]))
        if lesion.rim:
            upright = np.abs(self._z - np.float32(lesion.z)) / (distance + np.float32(1e-3))
            surface += line(core - 0.15, 0.12) * upright**3 * np.float32(1.2)
            excess += line(core, 0.35) * (1 - np.square(upright)) ** 4 * np.float32(0.9)
        self._add_calcifications(surface, s)
        return mask

    def _add_calcifications(self, surface: Map, s: float) -> None:
        along = s + self._at.s - self._lesion.s
        for at_s, at_z, at_x, strength in self._lesion.calcifications:
            if abs(along - at_s) > max(0.5, self._grid.slice_mm):
                continue
            off_z = self._z - np.float32(self._lesion.z + at_z)
            off_x = self._x - np.float32(self._lesion.x + at_x)
            surface += np.exp(-(np.square(off_z) + np.square(off_x)) / np.float32(0.16**2)) * np.float32(strength)


def _window(positions: NDArray[np.floating], centre: float, reach: tuple[float, float]) -> slice:
    inside = np.flatnonzero((positions > centre - reach[0] - AROUND_MM) & (positions < centre + reach[1] + AROUND_MM))
    return slice(int(inside[0]), int(inside[-1]) + 1)
