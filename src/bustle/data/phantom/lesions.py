"""Outlines and acoustic properties of lesions.

The classes overlap on purpose: shape, orientation, posterior features and halo are all drawn with class-dependent
probabilities, and each class has a kind that imitates the other (`irregular-benign`, `circumscribed-malignant`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Label
from bustle.data.phantom.anatomy import Map
from bustle.data.phantom.plan import LESION_CLASS

ANGLES = 720
"""Directions in which an outline's radius is stored."""

DEEPEST_SKIN_MM = 2.8
"""Lesions stay below this depth: they grow in the breast, not in the skin."""


@dataclass(frozen=True)
class LesionKind:
    """Ranges (low, high) that a lesion of this kind draws from; `chance` fields are probabilities.

    `aspect` is height / width; `echo_db` the level relative to gland; `posterior_db` the change of the level behind
    the whole lesion, so negative means shadow; `edge_mm` the width of its blurred edge.
    """

    width_mm: tuple[float, float]
    aspect: tuple[float, float]
    tilt_degrees: float
    lobulation: tuple[float, float]
    microlobulation: tuple[float, float]
    corners: tuple[int, int]
    spicules: tuple[int, int]
    echo_db: tuple[float, float]
    texture_db: tuple[float, float]
    posterior_db: tuple[float, float]
    edge_mm: tuple[float, float]
    halo_chance: float
    rim_chance: float
    calcification_chance: float


LESION_KINDS: dict[str, LesionKind] = {
    "solid": LesionKind(
        width_mm=(7, 23),
        aspect=(0.42, 0.85),
        tilt_degrees=12,
        lobulation=(0.0, 0.13),
        microlobulation=(0.0, 0.015),
        corners=(0, 0),
        spicules=(0, 0),
        echo_db=(-15, -8),
        texture_db=(0.6, 2.0),
        posterior_db=(-3, 6),
        edge_mm=(0.15, 0.5),
        halo_chance=0.04,
        rim_chance=0.6,
        calcification_chance=0.08,
    ),
    "cyst": LesionKind(
        width_mm=(5, 21),
        aspect=(0.5, 1.02),
        tilt_degrees=15,
        lobulation=(0.0, 0.09),
        microlobulation=(0.0, 0.01),
        corners=(0, 0),
        spicules=(0, 0),
        echo_db=(-60, -32),
        texture_db=(0.0, 0.5),
        posterior_db=(3, 10),
        edge_mm=(0.1, 0.25),
        halo_chance=0.02,
        rim_chance=0.45,
        calcification_chance=0.02,
    ),
    "irregular-benign": LesionKind(
        width_mm=(6, 19),
        aspect=(0.55, 1.1),
        tilt_degrees=18,
        lobulation=(0.08, 0.2),
        microlobulation=(0.01, 0.05),
        corners=(0, 7),
        spicules=(0, 3),
        echo_db=(-16, -8),
        texture_db=(1.0, 2.5),
        posterior_db=(-9, 4),
        edge_mm=(0.2, 0.7),
        halo_chance=0.15,
        rim_chance=0.2,
        calcification_chance=0.2,
    ),
    "spiculated": LesionKind(
        width_mm=(7, 23),
        aspect=(0.7, 1.4),
        tilt_degrees=20,
        lobulation=(0.04, 0.15),
        microlobulation=(0.01, 0.05),
        corners=(0, 0),
        spicules=(4, 10),
        echo_db=(-25, -12),
        texture_db=(1.0, 3.0),
        posterior_db=(-24, -1),
        edge_mm=(0.3, 0.9),
        halo_chance=0.6,
        rim_chance=0.0,
        calcification_chance=0.3,
    ),
    "angular": LesionKind(
        width_mm=(7, 25),
        aspect=(0.6, 1.3),
        tilt_degrees=22,
        lobulation=(0.03, 0.12),
        microlobulation=(0.02, 0.06),
        corners=(5, 9),
        spicules=(0, 3),
        echo_db=(-24, -11),
        texture_db=(1.0, 3.0),
        posterior_db=(-18, 2),
        edge_mm=(0.2, 0.8),
        halo_chance=0.45,
        rim_chance=0.0,
        calcification_chance=0.35,
    ),
    "circumscribed-malignant": LesionKind(
        width_mm=(8, 22),
        aspect=(0.5, 1.0),
        tilt_degrees=18,
        lobulation=(0.04, 0.15),
        microlobulation=(0.005, 0.035),
        corners=(0, 0),
        spicules=(0, 2),
        echo_db=(-22, -10),
        texture_db=(0.8, 2.5),
        posterior_db=(-9, 6),
        edge_mm=(0.15, 0.6),
        halo_chance=0.2,
        rim_chance=0.15,
        calcification_chance=0.1,
    ),
}


@dataclass(frozen=True)
class LesionShape:
    """One lesion of a patient in body coordinates (mm); `radius[i]` is the outline's radius at angle 2 pi i / n."""

    kind: str
    centre_z: float
    centre_x: float
    height_mm: float
    radius: NDArray[np.float32]
    core_radius: NDArray[np.float32]  # the outline without its spicules
    echo_db: float
    texture_db: float
    posterior_db: float
    edge_mm: float
    halo_mm: float
    rim: bool
    calcifications: int

    @property
    def label(self) -> Label:
        return LESION_CLASS[self.kind]

    def signed_distance(self, body_z: Map, body_x: Map, *, scale: float = 1.0, core: bool = False) -> Map:
        """Distance in mm to the outline along the ray from the centre, negative inside."""
        outline = (self.core_radius if core else self.radius) * np.float32(scale)
        distance, angle = cv2.cartToPolar(body_x - np.float32(self.centre_x), body_z - np.float32(self.centre_z))
        direction = np.asarray(angle) * np.float32(ANGLES / (2 * np.pi))
        whole = direction.astype(np.int32)
        part = direction - whole
        here, beyond = outline[whole % ANGLES], outline[(whole + 1) % ANGLES]
        return np.asarray(distance, dtype=np.float32) - (here + part * (beyond - here))


def draw_lesions(
    rng: np.random.Generator, kinds: tuple[str, ...], *, gland: tuple[float, float], depth_mm: float
) -> tuple[LesionShape, ...]:
    """Place the lesions of a patient in the gland (its mean top and bottom depth, mm), without overlap.

    A second lesion is small and stands beside the first one, where there is room for it in the image.
    """
    if not kinds:
        return ()
    top, bottom = gland
    first = _draw_lesion(rng, kinds[0], largest_height=0.55 * depth_mm, largest_width=0.62 * depth_mm)
    half = first.height_mm / 2
    low, high = top + 0.35 * half, max(bottom - 0.35 * half, top + 0.35 * half + 0.5)
    z = float(np.clip(rng.uniform(low, high), _reach_up(first) + DEEPEST_SKIN_MM, depth_mm - half - 4))
    x = float(np.clip(rng.normal(0, 0.13 * depth_mm), -0.3 * depth_mm, 0.3 * depth_mm))
    placed = [_moved(first, z=z, x=x)]
    for kind in kinds[1:]:
        second = _draw_lesion(rng, kind, largest_height=7.0, largest_width=7.0)
        side = -1.0 if x > 0 else 1.0
        x = x + side * (float(first.radius.max() + second.radius.max()) + rng.uniform(2, 5))
        x = float(np.clip(x, 4.5 - depth_mm / 2, depth_mm / 2 - 4.5))
        z = float(np.clip(z + rng.normal(0, 2.5), 7, depth_mm - 8))
        placed.append(_moved(second, z=z, x=x))
    return tuple(placed)


def _reach_up(lesion: LesionShape) -> float:
    angle = np.arange(ANGLES) * (2 * np.pi / ANGLES)
    return float(np.max(-np.sin(angle) * lesion.radius))


def _moved(lesion: LesionShape, *, z: float, x: float) -> LesionShape:
    return replace(lesion, centre_z=z, centre_x=x)


def _draw_lesion(rng: np.random.Generator, kind: str, *, largest_height: float, largest_width: float) -> LesionShape:
    look = LESION_KINDS[kind]
    low, high = look.width_mm
    width = min(low + (high - low) * rng.beta(1.7, 1.9), largest_width)
    height = min(width * rng.uniform(*look.aspect), largest_height)
    core, outline = _draw_outline(rng, look, width=width, height=height)
    return LesionShape(
        kind=kind,
        centre_z=0.0,
        centre_x=0.0,
        height_mm=height,
        radius=outline.astype(np.float32),
        core_radius=core.astype(np.float32),
        echo_db=float(rng.uniform(*look.echo_db)),
        texture_db=float(rng.uniform(*look.texture_db)),
        posterior_db=float(rng.uniform(*look.posterior_db)),
        edge_mm=float(rng.uniform(*look.edge_mm)),
        halo_mm=float(rng.uniform(0.8, 2.2)) if rng.random() < look.halo_chance else 0.0,
        rim=bool(rng.random() < look.rim_chance),
        calcifications=int(rng.integers(3, 12)) if rng.random() < look.calcification_chance else 0,
    )


def _draw_outline(
    rng: np.random.Generator, look: LesionKind, *, width: float, height: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radius per angle, without and with spicules: an ellipse, or a polygon in it, with waves on its edge."""
    angle = np.arange(ANGLES) * (2 * np.pi / ANGLES)
    tilt = np.radians(rng.normal(0, look.tilt_degrees))
    turned = angle - tilt
    half_width, half_height = width / 2, height / 2
    ellipse = 1 / np.hypot(np.cos(turned) / half_width, np.sin(turned) / half_height)
    corners = int(rng.integers(look.corners[0], look.corners[1] + 1))
    core = ellipse * _polygon(rng, angle, corners) if corners >= 4 else ellipse
    for harmonic in range(2, 5):
        core = core * (1 + _wave(rng, angle, harmonic, rng.uniform(*look.lobulation) / np.sqrt(harmonic)))
    fine = rng.uniform(*look.microlobulation)
    for harmonic in rng.integers(7, 17, size=4):
        core = core * (1 + _wave(rng, angle, int(harmonic), fine * rng.uniform(0.3, 1.0)))
    outline = core.copy()
    for _ in range(int(rng.integers(look.spicules[0], look.spicules[1] + 1))):
        towards = rng.uniform(-np.pi, np.pi)
        half_angle = rng.uniform(0.12, 0.35)
        apart = np.abs((angle - towards + np.pi) % (2 * np.pi) - np.pi)
        outline += np.clip(1 - apart / half_angle, 0, None) ** 1.5 * rng.uniform(0.12, 0.42) * np.mean(core)
    return core, outline


def _wave(rng: np.random.Generator, angle: NDArray[np.floating], harmonic: int, amount: float) -> NDArray[np.float64]:
    return amount * np.sin(harmonic * angle + rng.uniform(0, 2 * np.pi))


def _polygon(rng: np.random.Generator, angle: NDArray[np.floating], corners: int) -> NDArray[np.float64]:
    """Radius of an irregular polygon with its corners near the unit circle."""
    at = np.sort((np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) * (2 * np.pi / corners)) % (2 * np.pi)
    at = np.sort(at)
    reach = rng.uniform(0.85, 1.2, corners)
    y, x = reach * np.sin(at), reach * np.cos(at)
    following = np.searchsorted(at, angle, side="right") % corners
    before = (following - 1) % corners
    cross = x[before] * y[following] - y[before] * x[following]
    edge_y, edge_x = y[following] - y[before], x[following] - x[before]
    return cross / (np.cos(angle) * edge_y - np.sin(angle) * edge_x)
