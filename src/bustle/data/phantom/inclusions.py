"""Puts lesions, and what may be taken for one, into the maps of the healthy breast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bustle.data.phantom.anatomy import Map, PixelGrid, SmoothField, View
from bustle.data.phantom.lesions import LesionShape
from bustle.data.phantom.tissue import Layers, TissueMaps, line, step


def add_lesions(
    maps: TissueMaps,
    lesions: Sequence[LesionShape],
    rng: np.random.Generator,
    *,
    view: View,
    body_z: Map,
    body_x: Map,
) -> None:
    """Write the lesions' scattering, capsule, halo, calcifications and attenuation into `maps`."""
    for lesion in lesions:
        outside = lesion.signed_distance(body_z, body_x, scale=view.lesion_scale)
        core = lesion.signed_distance(body_z, body_x, scale=view.lesion_scale, core=True)
        texture = SmoothField(rng, depth_mm=0.9, width_mm=1.4)(body_z, body_x)
        patches = SmoothField(rng, depth_mm=3.0, width_mm=4.0)(body_z, body_x)
        inside = step(-(outside + 0.6 * lesion.edge_mm * texture), lesion.edge_mm / 3)
        if lesion.halo_mm:
            halo = np.exp(-np.clip(core, 0, None) / lesion.halo_mm) * step(core, 0.2) * step(patches + 0.8, 0.4)
            maps.echo_db += halo * np.clip(3.5 - maps.echo_db, 0, None)
            _add_strands(maps, lesion, rng, core=core, body_z=body_z, body_x=body_x)
        level = lesion.echo_db + lesion.texture_db * (texture + 0.6 * patches)
        maps.echo_db += inside * (level - maps.echo_db)
        maps.surface *= 1 - inside
        maps.excess_db_per_mm *= 1 - inside
        maps.excess_db_per_mm -= inside * np.float32(lesion.posterior_db / (lesion.height_mm * view.lesion_scale))
        if lesion.rim:
            _add_capsule(maps, lesion, core=core, body_z=body_z, body_x=body_x)
        for _ in range(lesion.calcifications):
            at_z = lesion.centre_z + rng.normal(0, 0.2) * lesion.height_mm
            at_x = lesion.centre_x + rng.normal(0, 0.3) * lesion.radius.mean()
            speck = np.exp(-(np.square(body_z - at_z) + np.square(body_x - at_x)) / np.float32(0.16**2))
            maps.surface += speck.astype(np.float32) * np.float32(rng.uniform(1.5, 4))


def _add_capsule(maps: TissueMaps, lesion: LesionShape, *, core: Map, body_z: Map, body_x: Map) -> None:
    """A bright wall where it lies across the beam, and the thin shadows of its sides (refraction)."""
    from_z, from_x = body_z - np.float32(lesion.centre_z), body_x - np.float32(lesion.centre_x)
    distance = np.hypot(from_z, from_x) + np.float32(1e-3)
    maps.surface += line(core - 0.15, 0.12) * (np.abs(from_z) / distance) ** 3 * 1.2
    maps.excess_db_per_mm += line(core, 0.35) * (np.abs(from_x) / distance) ** 8 * 0.9


def _add_strands(
    maps: TissueMaps, lesion: LesionShape, rng: np.random.Generator, *, core: Map, body_z: Map, body_x: Map
) -> None:
    """Fine bright and dark strands that radiate from the lesion into the tissue (desmoplastic reaction)."""
    angle = np.arctan2(body_z - np.float32(lesion.centre_z), body_x - np.float32(lesion.centre_x))
    reach = np.exp(-np.clip(core, 0, None) / 2.5) * (core > 0)
    for _ in range(int(rng.integers(6, 14))):
        apart = np.abs((angle - rng.uniform(-np.pi, np.pi) + np.pi) % (2 * np.pi) - np.pi)
        strand = np.exp(-((apart / rng.uniform(0.03, 0.08)) ** 2)) * reach
        maps.echo_db += strand.astype(np.float32) * np.float32(rng.choice([-9.0, 5.0]))


def add_confusers(
    maps: TissueMaps,
    names: Sequence[str],
    rng: np.random.Generator,
    *,
    layers: Layers,
    grid: PixelGrid,
    body_z: Map,
    body_x: Map,
) -> None:
    """Write findings that are no lesion into `maps`; `rng` is the patient's, so that all frames share them."""
    top, bottom = layers.gland_range()
    half_width = grid.columns * grid.column_mm / 2
    _, x = grid.coordinates()
    for name in names:
        at_x = rng.uniform(-0.8, 0.8) * half_width
        across = body_x - np.float32(at_x)
        if name == "fat-lobule":
            width, height = rng.uniform(3, 8), rng.uniform(1.0, 2.6)
            at_z = rng.uniform(top - 1, bottom)
            wave = 0.12 * np.sin(3 * np.arctan2(body_z - np.float32(at_z), across) + rng.uniform(0, 6.3))
            ring = (np.hypot(across / width, (body_z - np.float32(at_z)) / height) - 1 - wave) * height
            inside = step(-ring, 0.12)
            maps.echo_db += inside * (layers.fat_db - maps.echo_db)
            maps.surface *= 1 - inside
            maps.surface += line(ring, 0.12) * 0.6 * step(np.abs(body_z - np.float32(at_z)) - 0.4 * height, 0.3)
        elif name == "ligament-shadow":
            start = rng.uniform(layers.skin_mm + 1, bottom)
            shadow = line(across + 0.12 * (body_z - np.float32(start)), rng.uniform(0.5, 1.6))
            maps.excess_db_per_mm += shadow * line(body_z - np.float32(start), 1.5) * rng.uniform(2, 5)
        elif name == "nipple-shadow":
            shadow = line(across, rng.uniform(3, 6)) * line(body_z - np.float32(layers.skin_mm), 2.5)
            maps.excess_db_per_mm += shadow * rng.uniform(1.5, 3.5)
        elif name == "rib":
            at_z = layers.muscle_bottom.base + rng.uniform(0, 2)
            arc = body_z - np.float32(at_z) - 0.03 * np.square(across)
            extent = step(rng.uniform(4, 7) - np.abs(across), 0.4)
            maps.surface += line(arc, 0.3) * extent * 2.0
            maps.excess_db_per_mm += step(arc, 0.3) * extent * 2.5
        elif name == "contact-loss":
            side = 1.0 if at_x > 0 else -1.0
            edge = side * x[0] - half_width * np.float32(rng.uniform(0.7, 0.95))
            maps.transmission_db -= step(edge, 0.8) * np.float32(rng.uniform(8, 25))
