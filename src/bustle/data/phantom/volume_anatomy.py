"""Where things lie in a scanned breast: the voxel grid, the probe's position, smooth fields and layers in 3D.

Body coordinates are millimetres: s along the slices and x across them, both from the nipple, and z from the skin.
They do not depend on the voxels, so that a patient looks the same on every grid and in every view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bustle.core.errors import InputError
from bustle.data.phantom.anatomy import Map, PixelGrid, SmoothLine, draw_line
from bustle.data.phantom.tissue import Layers, draw_layers

FULL_SIZE = (318, 512, 300)
FULL_SPACING_MM = (0.5, 0.07, 0.2)
"""Slices, depth and lateral, as an automated scanner stores them: 159 x 36 x 60 mm."""

COARSEST = 16


@dataclass(frozen=True)
class VoxelGrid:
    """A grid of `slices` slices, each of them a `PixelGrid` (depth, lateral); s and x are 0 in the middle."""

    slices: int
    slice_mm: float
    plane: PixelGrid

    @property
    def size(self) -> tuple[int, int, int]:
        return self.slices, self.plane.rows, self.plane.columns

    @property
    def spacing(self) -> tuple[float, float, float]:
        return self.slice_mm, self.plane.row_mm, self.plane.column_mm

    @property
    def half_mm(self) -> tuple[float, float]:
        """Half the extent along s and along x."""
        return self.slices * self.slice_mm / 2, self.plane.columns * self.plane.column_mm / 2

    def s(self, index: int) -> float:
        return (index + 0.5 - self.slices / 2) * self.slice_mm

    def index_of(self, s: float, z: float, x: float) -> tuple[float, float, float]:
        """Voxel indices (of the voxels' centres) of a point in grid coordinates."""
        return (
            s / self.slice_mm + (self.slices - 1) / 2,
            z / self.plane.row_mm - 0.5,
            x / self.plane.column_mm + (self.plane.columns - 1) / 2,
        )


def voxel_grid(coarse: int) -> VoxelGrid:
    """The scanner's grid with voxels `coarse` times as long along every axis; `InputError` beyond 1 to 16."""
    if not 1 <= coarse <= COARSEST:
        raise InputError(
            f"the voxels of a phantom volume cannot be {coarse} times as large",
            remedy=f"choose 1 (318 x 512 x 300 voxels) to {COARSEST}",
        )
    slices, rows, columns = (round(count / coarse) for count in FULL_SIZE)
    slice_mm, row_mm, column_mm = (round(step * coarse, 6) for step in FULL_SPACING_MM)
    return VoxelGrid(slices, slice_mm, PixelGrid(rows, columns, row_mm, column_mm))


@dataclass(frozen=True)
class ProbePosition:
    """Body coordinates of the grid's middle in mm: a lateral and a medial view lie on either side of the nipple."""

    s: float
    x: float


class SmoothVolume:
    """A zero-mean, unit-variance random field over the body with the given correlation lengths in mm.

    Random knots one correlation length apart, joined by cubic B-splines and evaluated slice by slice; the length
    `width_mm` holds along s and x alike.
    """

    LONGEST, DEEPEST, WIDEST = (
        105.0,
        40.0,
        57.0,
    )  # along s, z and x; farther from the nipple no probe position reaches

    def __init__(
        self, rng: np.random.Generator, grid: VoxelGrid, at: ProbePosition, *, depth_mm: float, width_mm: float
    ):
        lengths = (2 * self.LONGEST / width_mm, self.DEEPEST / depth_mm, 2 * self.WIDEST / width_mm)
        shape = tuple(int(np.ceil(length)) + 4 for length in lengths)
        knots = rng.standard_normal(shape, dtype=np.float32) * np.float32(3.015)
        self._from, self._width_mm = at.s + self.LONGEST, width_mm
        z, x = grid.plane.coordinates()
        self._down = _spline_matrix(z[:, 0] / depth_mm, knots=shape[1])
        across = _spline_matrix((x[0] + at.x + self.WIDEST) / width_mm, knots=shape[2])
        wide = (across @ knots.reshape(-1, shape[2]).T).reshape(-1, *shape[:2])
        self._knots = np.ascontiguousarray(wide.transpose(1, 2, 0))

    def __call__(self, s: float) -> Map:
        """The field on the slice at grid position `s` (mm), `rows x columns`."""
        first, part = divmod((s + self._from) / self._width_mm, 1.0)
        sheet = np.einsum("k,kij->ij", np.array(_weights(part), np.float32), self._knots[int(first) : int(first) + 4])
        return self._down @ sheet


def _weights(part: Any) -> list[Any]:
    """Weights of four neighbouring knots in a cubic B-spline at `part` (0 to 1) between the middle two."""
    rest = 1 - part
    return [
        rest**3 / 6,
        2 / 3 - part**2 * (1 + rest) / 2,
        2 / 3 - rest**2 * (1 + part) / 2,
        part**3 / 6,
    ]


def _spline_matrix(positions: NDArray[np.floating], *, knots: int) -> csr_array:
    """Weights `n x knots` at positions in knot steps; its products do not depend on the number of threads."""
    first = np.floor(positions).astype(np.intp)
    weights = np.stack(_weights(positions - first), axis=1).astype(np.float32)
    place = (first[:, None] + np.arange(4)).ravel(), np.arange(0, 4 * positions.size + 1, 4)
    return csr_array((weights.ravel(), *place), shape=(positions.size, knots))


@dataclass(frozen=True)
class Boundaries:
    """Depths in mm of the layers over some points of the skin, float32 of their shape."""

    gland_top: Map
    gland_bottom: Map
    muscle_top: Map
    muscle_bottom: Map


@dataclass(frozen=True)
class BreastLayers:
    """The layers of `tissue.Layers`, waving in both directions, with the gland thickest around the nipple."""

    character: Layers
    across: tuple[SmoothLine, SmoothLine, SmoothLine, SmoothLine]
    turn: float  # radians between the waves' directions and the slices
    gland_radius_mm: tuple[float, float]
    nipple_rise_mm: float

    def boundaries(self, s: Map, x: Map) -> Boundaries:
        """Depths at body coordinates `s` and `x` of the same shape."""
        along = x * np.float32(np.cos(self.turn)) + s * np.float32(np.sin(self.turn))
        across = s * np.float32(np.cos(self.turn)) - x * np.float32(np.sin(self.turn))
        lines = self.character.gland_top, self.character.gland_bottom
        lines += self.character.muscle_top, self.character.muscle_bottom
        top, bottom, muscle_top, muscle_bottom = (
            line(along) + other(across) for line, other in zip(lines, self.across, strict=True)
        )
        outwards = np.square(s / self.gland_radius_mm[0]) + np.square(x / self.gland_radius_mm[1])
        thickness = np.maximum(bottom - top, 2) * np.exp(-outwards)
        top = top + 0.2 * (bottom - top - thickness) - self.nipple_rise_mm * np.exp(-np.square(np.hypot(s, x) / 9))
        top = np.maximum(top, self.character.skin_mm + 0.8)
        bottom = top + np.maximum(thickness, 0.6)
        muscle_top = np.maximum(muscle_top - 3 * np.clip(outwards, 0, 1.5), bottom + 0.4)
        muscle_bottom = np.maximum(muscle_bottom - 3 * np.clip(outwards, 0, 1.5), muscle_top + 3)
        return Boundaries(top, bottom, muscle_top, muscle_bottom)


def draw_breast_layers(rng: np.random.Generator) -> BreastLayers:
    first, second, third, fourth = (draw_line(rng, base=0.0, amplitude=1.0) for _ in range(4))
    return BreastLayers(
        character=draw_layers(rng, depth_mm=FULL_SIZE[1] * FULL_SPACING_MM[1]),
        across=(first, second, third, fourth),
        turn=float(rng.uniform(-0.6, 0.6)),
        gland_radius_mm=(float(rng.uniform(60, 85)), float(rng.uniform(45, 65))),
        nipple_rise_mm=float(rng.uniform(2, 5)),
    )
