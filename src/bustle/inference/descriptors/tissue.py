"""The tissue that a lesion is compared with: its edge, what lies around, below and above it.

Bands follow the outline at a distance, in shares of the lesion's equivalent diameter, so that they mean the same for
every zoom. Comparisons go row by row: what lies at the same depth has the same attenuation and gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.inference.descriptors.morphology import distance_to

RIM_SHARE = 0.1
"""The width of the band inside and outside of the edge, in equivalent diameters; at least `RIM_PIXELS`."""

RIM_PIXELS = 1.5
AROUND_SHARE = 0.4
"""The width of the surroundings, which begin where the rim ends."""

BELOW_SHARE = 1.0
"""How far below the lesion its shadow is looked for; as far aside is the tissue that it is compared with."""

FAT_MM = (2.5, 7.5)
"""Where the subcutaneous fat is taken to be, below the upper edge: under a skin of at most 2.5 mm."""

FAT_SHARE = (0.06, 0.18)
"""The same in shares of the picture's depth, where the spacing is not known."""

DARK = 5
"""Rows and columns at the edges of the picture that are nowhere brighter are no tissue."""


@dataclass(frozen=True, eq=False)
class Tissue:
    """One lesion and the tissue around it, cut out of the picture: grey values float and masks bool, all `*s`.

    `signed` is the distance from the lesion's edge, negative inside, in the unit of `pixel`, the smallest side of a
    pixel. `outer_ring` is the rim outside of the edge, `outer_rim` its part at the lesion's depth. `below` are the
    columns behind the lesion, `beside` those that they are compared with. Other lesions belong to none of them.
    """

    grey: NDArray[np.float64]
    lesion: NDArray[np.bool_]
    signed: NDArray[np.float64]
    pixel: float
    inner_rim: NDArray[np.bool_]
    outer_ring: NDArray[np.bool_]
    outer_rim: NDArray[np.bool_]
    around: NDArray[np.bool_]
    below: NDArray[np.bool_]
    beside: NDArray[np.bool_]
    fat_level: float | None


def picture_frame(grey: NDArray[np.uint8]) -> tuple[slice, ...]:
    """The box of the picture without black rows and columns at its edges; all of it if it is black."""
    bright = grey > DARK
    if not bright.any():
        return tuple(slice(0, size) for size in grey.shape)
    frame = []
    for axis in range(grey.ndim):
        others = tuple(other for other in range(grey.ndim) if other != axis)
        lit = np.flatnonzero(bright.any(axis=others))
        frame.append(slice(int(lit[0]), int(lit[-1]) + 1))
    return tuple(frame)


def surroundings(
    box: tuple[slice, ...],
    *,
    frame: tuple[slice, ...],
    step: Sequence[float],
    diameter: float,
    depth_axis: int,
) -> tuple[slice, ...]:
    """The window of a picture with all that a lesion in `box`, of an equivalent `diameter`, is compared with."""
    margins = [int(np.ceil((RIM_SHARE + AROUND_SHARE + 0.1) * diameter / size)) + 3 for size in step]
    ahead = list(margins)
    ahead[depth_axis] = int(np.ceil((RIM_SHARE + BELOW_SHARE) * diameter / step[depth_axis])) + 3
    window = tuple(
        slice(max(edges.start, side.start - before), min(edges.stop, side.stop + after))
        for side, edges, before, after in zip(box, frame, margins, ahead, strict=True)
    )
    return tuple(  # a lesion in the black margin keeps its own pixels
        slice(min(seen.start, side.start), max(seen.stop, side.stop)) for seen, side in zip(window, box, strict=True)
    )


def tissue_around(
    grey: NDArray[np.uint8],
    lesions: NDArray[np.integer],
    *,
    number: int,
    box: tuple[slice, ...],
    step: Sequence[float],
    diameter: float,
    depth_axis: int,
    fat_level: float | None,
) -> Tissue:
    """What lies around lesion `number` of the instance map `*s`, all cut to its `surroundings`; `box` is there."""
    lesion = lesions == number
    free = lesions == 0
    # From the centre of the nearest pixel on the other side to the edge between the two is half a pixel.
    half = 0.5 * min(step)
    signed = distance_to(lesion, step=step) - half
    inside = distance_to(np.pad(~lesion[box], 1, constant_values=True), step=step)[(slice(1, -1),) * lesion.ndim]
    signed[box] = np.where(lesion[box], half - inside, signed[box])
    rim = max(RIM_SHARE * diameter, RIM_PIXELS * min(step))
    rows = _rows(box[depth_axis], shape=lesion.shape, depth_axis=depth_axis)
    level = free & rows
    below, beside = _behind(lesion, free=free, step=step, depth_axis=depth_axis, gap=rim, reach=diameter)
    return Tissue(
        grey=grey.astype(np.float64),
        lesion=lesion,
        signed=signed,
        pixel=min(step),
        inner_rim=lesion & (signed >= -rim),
        outer_ring=free & (signed <= rim),
        outer_rim=level & (signed <= rim),
        around=level & (signed > rim) & (signed <= rim + AROUND_SHARE * diameter),
        below=below,
        beside=beside,
        fat_level=fat_level,
    )


def _rows(box: slice, *, shape: tuple[int, ...], depth_axis: int) -> NDArray[np.bool_]:
    rows = np.zeros(shape[depth_axis], bool)
    rows[box] = True
    return rows.reshape([-1 if axis == depth_axis else 1 for axis in range(len(shape))])


def _behind(
    lesion: NDArray[np.bool_],
    *,
    free: NDArray[np.bool_],
    step: Sequence[float],
    depth_axis: int,
    gap: float,
    reach: float,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The columns below the thick part of the lesion, and those beside the lesion, from the same depth on.

    A shadow belongs to the part that attenuates: columns of at least half the greatest thickness.
    """
    thickness = lesion.sum(axis=depth_axis)
    footprint = thickness > 0
    core = thickness >= thickness.max() / 2
    lateral = [size for axis, size in enumerate(step) if axis != depth_axis]
    distance = distance_to(footprint, step=lateral)
    sideways = ~footprint & (distance > 0.1 * reach) & (distance <= 0.6 * reach)
    size = lesion.shape[depth_axis]
    depth = np.arange(size).reshape([-1 if axis == depth_axis else 1 for axis in range(lesion.ndim)])
    bottom = size - 1 - np.flip(lesion, axis=depth_axis).argmax(axis=depth_axis)
    lowest = int(bottom[footprint].max())
    past = (depth - np.expand_dims(np.where(footprint, bottom, lowest), depth_axis)) * step[depth_axis]
    behind = free & (past > gap) & (past <= gap + BELOW_SHARE * reach)
    columns = free & (depth > int(bottom[core].min()))
    return behind & np.expand_dims(core, depth_axis), columns & np.expand_dims(sideways, depth_axis)


def fat_level_of(
    grey: NDArray[np.uint8],
    lesions: NDArray[np.integer],
    *,
    frame: tuple[slice, ...],
    step: Sequence[float],
    in_mm: bool,
    depth_axis: int,
) -> float | None:
    """The median grey value where subcutaneous fat is expected; None where lesions cover most of it.

    An estimate: the skin is assumed at the picture's upper edge, and nothing tells fat from glandular tissue.
    """
    height = frame[depth_axis].stop - frame[depth_axis].start
    if in_mm:
        first, last = (round(depth / step[depth_axis]) for depth in FAT_MM)
    else:
        first, last = (round(share * height) for share in FAT_SHARE)
    if last > height // 2 or last - first < 3:
        return None
    band = list(frame)
    band[depth_axis] = slice(frame[depth_axis].start + first, frame[depth_axis].start + last)
    values, free = grey[tuple(band)], lesions[tuple(band)] == 0
    return float(np.median(values[free])) if 2 * int(free.sum()) > free.size else None
