"""Where things lie in the body: the pixel grid, the probe's position, and smooth random lines and fields.

Anatomy is described in millimetres of the body (x from the middle of the first frame, z from the skin), never in
pixels, so that the same patient looks the same at every image size and from frame to frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.floating[Any]]
"""A float32 array on a pixel grid; typed wider because the stubs promote every product with a Python float."""


@dataclass(frozen=True)
class View:
    """How the probe lies in one frame: body coordinates (Z, X) of image coordinates (z, x), in mm.

    The probe slides by `shift_mm`, presses (`compression` < 1 brings deeper tissue up), tilts by `slope`, and the
    tissue gives way by `wobble_mm`. The skin stays flat against the probe.
    """

    shift_mm: float
    compression: float
    slope: float
    wobble_mm: float
    wobble_phase: float
    lesion_scale: float  # another cut through the lesion is smaller or larger

    def body_coordinates(self, z: Map, x: Map) -> tuple[Map, Map]:
        below_skin = np.clip(z / 8, 0, 1)
        give = self.wobble_mm * np.sin(x / 7 + z / 11 + self.wobble_phase)
        body_z = z / self.compression + below_skin * (self.slope * x + give)
        body_x = x + self.shift_mm + below_skin * self.wobble_mm * np.sin(z / 6 + self.wobble_phase)
        return body_z.astype(np.float32), body_x.astype(np.float32)


def draw_view(rng: np.random.Generator, *, frame: int) -> View:
    """The first frame shows the lesion well; later ones are slightly moved, pressed and turned."""
    amount = 0.4 if frame == 1 else 1.0
    return View(
        shift_mm=float(rng.normal(0, 3.5) * amount),
        compression=float(1 + rng.normal(0, 0.03) * amount),
        slope=float(np.tan(np.radians(rng.normal(0, 4) * amount))),
        wobble_mm=float(abs(rng.normal(0, 0.3)) * amount),
        wobble_phase=float(rng.uniform(0, 2 * np.pi)),
        lesion_scale=float(1 - abs(rng.normal(0, 0.08)) * amount),
    )


@dataclass(frozen=True)
class PixelGrid:
    """A grid of rows (depth) and columns (lateral) in the image plane; steps in mm, x is 0 in the middle."""

    rows: int
    columns: int
    row_mm: float
    column_mm: float

    def coordinates(self) -> tuple[Map, Map]:
        """Depth z and lateral position x of the pixel centres in mm, each `rows x columns`."""
        z = (np.arange(self.rows) + 0.5) * self.row_mm
        x = (np.arange(self.columns) + 0.5 - self.columns / 2) * self.column_mm
        depth, lateral = np.meshgrid(z.astype(np.float32), x.astype(np.float32), indexing="ij")
        return depth, lateral


@dataclass(frozen=True)
class SmoothLine:
    """A depth that varies smoothly along x: `base` plus three waves, in mm."""

    base: float
    amplitudes: NDArray[np.float64]
    wavelengths: NDArray[np.float64]
    phases: NDArray[np.float64]

    def __call__(self, x: Map) -> Map:
        line = np.full_like(x, self.base)
        for amplitude, wavelength, phase in zip(self.amplitudes, self.wavelengths, self.phases, strict=True):
            line += np.float32(amplitude) * np.sin(x * np.float32(2 * np.pi / wavelength) + np.float32(phase))
        return line


def draw_line(rng: np.random.Generator, *, base: float, amplitude: float) -> SmoothLine:
    """Long waves of about `amplitude` mm and shorter, shallower ones."""
    return SmoothLine(
        base=base,
        amplitudes=rng.normal(0, 1, 3) * amplitude * np.array([1.0, 0.6, 0.25]),
        wavelengths=rng.uniform([50, 22, 9], [90, 45, 18]),
        phases=rng.uniform(0, 2 * np.pi, 3),
    )


class SmoothField:
    """A zero-mean, unit-variance random field over the body with the given correlation lengths in mm.

    Random knots one correlation length apart, interpolated by cubic convolution: it can be evaluated at any body
    coordinates, which a field filtered on the pixel grid cannot.
    """

    DEEPEST, WIDEST = 60.0, 45.0

    def __init__(self, rng: np.random.Generator, *, depth_mm: float, width_mm: float):
        rows = int(np.ceil(self.DEEPEST / depth_mm)) + 4
        columns = int(np.ceil(2 * self.WIDEST / width_mm)) + 4
        self._knots = rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(1.35)
        self._steps = depth_mm, width_mm

    def __call__(self, body_z: Map, body_x: Map) -> Map:
        depth_mm, width_mm = map(np.float32, self._steps)
        row = body_z / depth_mm + np.float32(1.5)
        column = (body_x + np.float32(self.WIDEST)) / width_mm + np.float32(1.5)
        return np.asarray(
            cv2.remap(self._knots, column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT), dtype=np.float32
        )
