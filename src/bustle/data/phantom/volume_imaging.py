"""Forms a volume's slices one after the other, with the beam, attenuation, noise and display of the 2D phantom.

The beam is wider across the slices than these lie apart, so a slice shares most scatterers with its neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bustle.data.phantom.anatomy import Map
from bustle.data.phantom.imaging import complex_normal, noise_level, reverberation, shadow_db, through_beam
from bustle.data.phantom.plan import Device
from bustle.data.phantom.tissue import TissueMaps
from bustle.data.phantom.volume_anatomy import VoxelGrid

ELEVATION_MM = 1.2
"""Distance across the slices in which the correlation of the scatterers falls to 1/e."""


class Scanner:
    """Gives detected slices in their order; the scatterers wander from one to the next."""

    def __init__(self, rng: np.random.Generator, grid: VoxelGrid, device: Device):
        self._rng, self._plane, self._device = rng, grid.plane, device
        self._kept = np.float32(np.exp(-grid.slice_mm / ELEVATION_MM))
        self._scatterers = complex_normal(rng, (grid.plane.rows, grid.plane.columns))
        self._noise_level = noise_level(grid.plane)

    def detect(self, maps: TissueMaps) -> Map:
        """The echo amplitude of the next slice, `rows x columns` (1 = mean power of gland)."""
        fresh = complex_normal(self._rng, maps.echo_db.shape)
        noise: NDArray[np.complex64] = np.roll(fresh, self._plane.rows // 2, axis=0)  # as good as drawn anew
        fresh *= np.sqrt(1 - self._kept**2)
        self._scatterers *= self._kept
        self._scatterers += fresh
        amplitude = np.exp(maps.echo_db * np.float32(np.log(10) / 20)) + np.float32(1.2) * maps.surface
        signal = self._scatterers * amplitude
        signal += np.float32(0.7) * maps.surface
        signal = through_beam(signal, grid=self._plane, device=self._device)
        signal *= np.exp(shadow_db(maps, grid=self._plane) * np.float32(-np.log(10) / 20))
        signal += reverberation(signal, grid=self._plane)
        signal += noise * self._noise_level
        return np.abs(signal)
