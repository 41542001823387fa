"""Lesions in 3D: star-shaped bodies of an exact volume, described by their radius in every direction.

The kinds and their ranges are those of the 2D phantom, with corners, waves and spicules on a sphere instead of a
circle, so the classes overlap as they do there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Label
from bustle.data.phantom.anatomy import Map
from bustle.data.phantom.lesions import DEEPEST_SKIN_MM, LESION_CLASS, LESION_KINDS, LesionKind
from bustle.data.phantom.volume_anatomy import FULL_SIZE, FULL_SPACING_MM, BreastLayers, ProbePosition

POLAR, AZIMUTH = 91, 180
"""Directions in which a lesion's radius is stored: the angle from the slice axis, and that around it."""

DEPTH_MM = FULL_SIZE[1] * FULL_SPACING_MM[1]
BELOW_MM, BESIDE_MM = 2.5, 3.0
"""Tissue that stays visible below and beside a lesion."""

Table = NDArray[np.float32]


@dataclass(frozen=True)
class LesionBody:
    """One lesion in body coordinates (mm); tables are `POLAR x AZIMUTH` over directions.

    `reach_mm` is how far it goes from its centre: below and above along s, then along z, then along x.
    """

    kind: str
    s: float
    z: float
    x: float
    volume_mm3: float
    radius: Table
    core_radius: Table  # without spicules
    strands: Table  # dB by which fine strands around the lesion differ from the tissue
    reach_mm: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    echo_db: float
    texture_db: float
    posterior_db: float
    edge_mm: float
    halo_mm: float
    rim: bool
    calcifications: NDArray[np.float64]  # n x 4: offset from the centre along s, z, x, and brightness

    @property
    def label(self) -> Label:
        return LESION_CLASS[self.kind]

    def directions(self, s: Map, z: Map, x: Map) -> tuple[Map, Map, Map]:
        """Distance from the centre in mm, and polar and azimuth position in the tables, of body coordinates."""
        along, down, across = s - np.float32(self.s), z - np.float32(self.z), x - np.float32(self.x)
        in_plane, angle = cv2.cartToPolar(across, down)
        polar = np.arctan2(in_plane, along) * np.float32((POLAR - 1) / np.pi)
        azimuth = np.asarray(angle, np.float32) * np.float32(AZIMUTH / (2 * np.pi))
        return np.hypot(in_plane, along).astype(np.float32), polar.astype(np.float32), azimuth


def look_up(table: Table, polar: Map, azimuth: Map) -> Map:
    closed = np.concatenate([table, table[:, :1]], axis=1)
    return np.asarray(cv2.remap(closed, azimuth, polar, cv2.INTER_LINEAR), np.float32)


def draw_lesion_body(rng: np.random.Generator, kind: str, *, volume_mm3: float, layers: BreastLayers) -> LesionBody:
    """A lesion of this kind and volume, grown in the gland."""
    look = LESION_KINDS[kind]
    aspect = rng.uniform(*look.aspect)
    form = int(rng.integers(2**62))
    room = DEPTH_MM - DEEPEST_SKIN_MM - BELOW_MM
    flatter = 1.0
    while True:  # a large lesion has no room to stand upright
        core, radius = _draw_body(
            np.random.default_rng(form), look, aspect=aspect * flatter, calmer=flatter, volume_mm3=volume_mm3
        )
        reach = _reach(radius)
        if sum(reach[1]) < 0.9 * room:
            break
        flatter *= 0.9
    s, x = (float(np.clip(rng.normal(0, sigma), -limit, limit)) for sigma, limit in ((26, 55), (11, 22)))
    here = layers.boundaries(np.array([s], np.float32), np.array([x], np.float32))
    z = float(rng.uniform(here.gland_top[0], max(here.gland_bottom[0], here.gland_top[0] + 1)))
    z = float(np.clip(z, DEEPEST_SKIN_MM + reach[1][0], DEPTH_MM - BELOW_MM - reach[1][1]))
    with_halo = rng.random() < look.halo_chance
    return LesionBody(
        kind=kind,
        s=s,
        z=z,
        x=x,
        volume_mm3=volume_mm3,
        radius=radius,
        core_radius=core,
        strands=_draw_strands(rng) if with_halo else np.zeros_like(core),
        reach_mm=reach,
        echo_db=float(rng.uniform(*look.echo_db)),
        texture_db=float(rng.uniform(*look.texture_db)),
        posterior_db=float(rng.uniform(*look.posterior_db)),
        edge_mm=float(rng.uniform(*look.edge_mm)),
        halo_mm=float(rng.uniform(0.8, 2.2)) if with_halo else 0.0,
        rim=bool(rng.random() < look.rim_chance),
        calcifications=_draw_calcifications(rng, look, size_mm=float(core.mean())),
    )


def draw_position(rng: np.random.Generator, view: int, lesion: LesionBody) -> ProbePosition:
    """Where the probe lies in a view: views alternate between the two sides, and all show the whole lesion."""
    side = 1 if view % 2 else -1
    wanted = (np.clip(rng.normal(0, 6), -20, 20), side * rng.uniform(2, 13))
    half = FULL_SIZE[0] * FULL_SPACING_MM[0] / 2, FULL_SIZE[2] * FULL_SPACING_MM[2] / 2
    at = []
    for centre, reach, size, shift in zip(
        (lesion.s, lesion.x), (lesion.reach_mm[0], lesion.reach_mm[2]), half, wanted, strict=True
    ):
        lowest, highest = centre + reach[1] + BESIDE_MM - size, centre - reach[0] - BESIDE_MM + size
        at.append(float(np.clip(shift, lowest, highest)) if lowest < highest else (lowest + highest) / 2)
    return ProbePosition(s=at[0], x=at[1])


@cache
def _unit_vectors() -> NDArray[np.float64]:
    """Directions (s, z, x) of the tables, `POLAR x AZIMUTH x 3`."""
    polar = np.linspace(0, np.pi, POLAR)[:, None]
    azimuth = np.arange(AZIMUTH)[None] * (2 * np.pi / AZIMUTH)
    along = np.broadcast_to(np.cos(polar), (POLAR, AZIMUTH))
    return np.stack([along, np.sin(polar) * np.sin(azimuth), np.sin(polar) * np.cos(azimuth)], axis=-1)


def _draw_body(
    rng: np.random.Generator, look: LesionKind, *, aspect: float, calmer: float, volume_mm3: float
) -> tuple[Table, Table]:
    """Radius in mm per direction, without and with spicules: an ellipsoid, or a polyhedron in it, with waves.

    `calmer` (0 to 1) scales how far it leans and how long its spicules are.
    """
    directions = _unit_vectors()
    axes = np.array([rng.uniform(0.8, 1.25), aspect, 1.0])  # relative to the width
    core = 1 / np.linalg.norm((directions @ _tilt(rng, calmer * look.tilt_degrees)) / axes, axis=-1)
    corners = int(rng.integers(look.corners[0], look.corners[1] + 1))
    if corners >= 4:
        core = core * _polyhedron(rng, directions, faces=2 * corners)
    for harmonic in range(2, 5):
        core = core * (1 + _wave(rng, directions, harmonic, rng.uniform(*look.lobulation) / np.sqrt(harmonic)))
    fine = rng.uniform(*look.microlobulation)
    for harmonic in rng.integers(7, 17, size=8):
        core = core * (1 + _wave(rng, directions, int(harmonic), fine * rng.uniform(0.3, 1.0)))
    radius = core.copy()
    spicules = 3 * int(rng.integers(look.spicules[0], look.spicules[1] + 1))
    for _ in range(spicules):  # more than the 2D phantom has in its plane, since few of them lie in one slice
        sharp = np.clip(1 - _apart(directions, _direction(rng)) / rng.uniform(0.15, 0.36), 0, None) ** 1.5
        radius += sharp * calmer * rng.uniform(0.15, 0.6) * core.mean()
    solid_angle = np.sin(np.linspace(0, np.pi, POLAR))[:, None] * (np.pi / (POLAR - 1)) * (2 * np.pi / AZIMUTH)
    size = (volume_mm3 / float(np.sum(radius**3 / 3 * solid_angle))) ** (1 / 3)
    return (core * size).astype(np.float32), (radius * size).astype(np.float32)


def _tilt(rng: np.random.Generator, degrees: float) -> NDArray[np.float64]:
    """A small rotation that takes the vertical axis towards both others, after any turn around it."""
    turn, lean, roll = rng.uniform(0, np.pi), *np.radians(rng.normal(0, degrees, 2))
    around = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    leaning = np.array([[np.cos(lean), -np.sin(lean), 0], [np.sin(lean), np.cos(lean), 0], [0, 0, 1]])
    rolling = np.array([[1, 0, 0], [0, np.cos(roll), -np.sin(roll)], [0, np.sin(roll), np.cos(roll)]])
    return rolling @ leaning @ around


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    vector = rng.normal(0, 1, 3)
    return vector / np.linalg.norm(vector)


def _apart(directions: NDArray[np.float64], towards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance on the unit sphere along the chord: nearly the angle in radians, where it is small."""
    return np.sqrt(np.maximum(2 - 2 * (directions @ towards), 0))


def _wave(
    rng: np.random.Generator, directions: NDArray[np.float64], harmonic: int, amount: float
) -> NDArray[np.float64]:
    return amount * np.sin(harmonic * (directions @ _direction(rng)) + rng.uniform(0, 2 * np.pi))


def _polyhedron(rng: np.random.Generator, directions: NDArray[np.float64], *, faces: int) -> NDArray[np.float64]:
    """Radius of an irregular polyhedron with its faces near the unit sphere and its corners not far outside."""
    radius = np.full(directions.shape[:-1], 1.3)
    for _ in range(faces):
        towards = directions @ _direction(rng)
        radius = np.minimum(radius, rng.uniform(0.75, 1.0) / np.maximum(towards, 0.1))
    return radius


def _reach(radius: Table) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    tips = (_unit_vectors() * radius[..., None]).reshape(-1, 3)
    before, beyond = -tips.min(axis=0), tips.max(axis=0)
    first, second, third = ((float(low), float(high)) for low, high in zip(before, beyond, strict=True))
    return first, second, third


def _draw_strands(rng: np.random.Generator) -> Table:
    """Fine bright and dark strands that radiate from the lesion into the tissue (desmoplastic reaction).

    They lie flat, as pulled in from the sides: the star that a coronal view shows.
    """
    directions = _unit_vectors()
    strands = np.zeros(directions.shape[:-1])
    for _ in range(int(rng.integers(14, 30))):
        towards = _direction(rng) * np.array([1.0, 0.45, 1.0])
        towards /= np.linalg.norm(towards)
        strands += np.exp(-((_apart(directions, towards) / rng.uniform(0.06, 0.14)) ** 2)) * rng.choice([-9.0, 5.0])
    return np.clip(strands, -12, 7).astype(np.float32)


def _draw_calcifications(rng: np.random.Generator, look: LesionKind, *, size_mm: float) -> NDArray[np.float64]:
    count = int(rng.integers(5, 20)) if rng.random() < look.calcification_chance else 0
    return np.column_stack([rng.normal(0, 0.3, (count, 3)) * size_mm, rng.uniform(1.5, 4, count)])
