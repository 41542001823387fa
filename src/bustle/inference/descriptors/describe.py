"""All descriptors of all lesions of an image or a volume: the front of this package."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.data.prepared.joined_voxels import averaged, steps_to
from bustle.inference.descriptors.birads_words import birads_words
from bustle.inference.descriptors.echo import echo_descriptors, indistinct_share
from bustle.inference.descriptors.image_shape import image_shape
from bustle.inference.descriptors.moments import DEPTH_AXIS
from bustle.inference.descriptors.results import ImageShape, LesionDescriptors, VolumeShape
from bustle.inference.descriptors.tissue import Tissue, fat_level_of, picture_frame, surroundings, tissue_around

MOST_VOXELS = 8_000_000
"""Of a volume's lesion and what it is compared with; of more, voxels are joined along their shortest sides."""


def describe_lesions(
    grey: NDArray[np.uint8],
    lesions: NDArray[np.integer] | NDArray[np.bool_],
    *,
    spacing: tuple[float, ...] | None,
    at_most: int | None = None,
) -> tuple[LesionDescriptors, ...]:
    """Measure the lesions of a grey image `H W` or volume `D H W`, uint8, the largest first, ties by position.

    `lesions` is a mask bool, whose connected parts (8 or 26 neighbours) are lesions as `measure_lesions` has them and
    are numbered from 1 in that order, or an instance map (0 = background), whose numbers they keep; of more than
    `at_most` the smallest are left out. In mm where `spacing` is known, in pixels otherwise. Rows of an image are
    depth; a volume's axes are those of `bustle.data.prepared.orientation`: its second axis is depth.
    """
    if grey.shape != lesions.shape:
        raise ValueError(f"image {grey.shape} and lesions {lesions.shape} differ in size")
    is_mask = lesions.dtype == np.bool_
    numbers: NDArray[np.integer] = _connected_parts(lesions) if is_mask else cast("NDArray[np.integer]", lesions)
    found = sorted((_Found.of(numbers, number, box) for number, box in _boxes(numbers)), key=lambda one: one.rank)
    if not found:
        return ()
    step = (1.0,) * grey.ndim if spacing is None else spacing
    frame = picture_frame(grey)
    depth_axis = 0 if grey.ndim == 2 else DEPTH_AXIS
    fat_level = fat_level_of(grey, numbers, frame=frame, step=step, in_mm=spacing is not None, depth_axis=depth_axis)
    described = []
    for place, one in enumerate(found[:at_most], start=1):
        shape, tissue = _measured(
            grey, numbers, one, frame=frame, step=step, depth_axis=depth_axis, fat_level=fat_level
        )
        echo = echo_descriptors(tissue, depth_axis=depth_axis)
        indistinct = indistinct_share(tissue) if grey.ndim == 2 else None
        described.append(
            LesionDescriptors(
                number=place if is_mask else one.number,
                start=tuple(side.start for side in one.box),
                stop=tuple(side.stop for side in one.box),
                unit="px" if spacing is None else "mm",
                touches_edge=any(s.start <= f.start or s.stop >= f.stop for s, f in zip(one.box, frame, strict=True)),
                shape=shape,
                echo=echo,
                indistinct_share=indistinct,
                words=birads_words(shape, echo, indistinct_share=indistinct),
            )
        )
    return tuple(described)


class _Found(NamedTuple):
    """A number of the instance map, the box around its pixels, and how many they are."""

    number: int
    box: tuple[slice, ...]
    size: int

    @classmethod
    def of(cls, numbers: NDArray[np.integer], number: int, box: tuple[slice, ...]) -> _Found:
        return cls(number, box, int((numbers[box] == number).sum()))

    @property
    def rank(self) -> tuple[int, list[int], list[int]]:
        return -self.size, [side.start for side in self.box], [side.stop for side in self.box]


def _measured(
    grey: NDArray[np.uint8],
    numbers: NDArray[np.integer],
    lesion: _Found,
    *,
    frame: tuple[slice, ...],
    step: tuple[float, ...],
    depth_axis: int,
    fat_level: float | None,
) -> tuple[ImageShape | VolumeShape, Tissue]:
    """A lesion's shape and the tissue around it, both on the window that holds them."""
    size = lesion.size * math.prod(step)
    diameter = math.sqrt(4 * size / math.pi) if grey.ndim == 2 else (6 * size / math.pi) ** (1 / 3)
    window = surroundings(lesion.box, frame=frame, step=step, diameter=diameter, depth_axis=depth_axis)
    sides = zip(lesion.box, window, strict=True)
    box = tuple(slice(side.start - seen.start, side.stop - seen.start) for side, seen in sides)
    grey, numbers = grey[window], numbers[window]
    number = lesion.number
    if grey.ndim == 3 and grey.size > MOST_VOXELS:
        grey, numbers, step = _joined(grey, numbers, number=number, step=step)
        number = 1
        ((_, box),) = (each for each in _boxes(numbers) if each[0] == number)
    shape = _shape(numbers[box] == number, step=step)
    if isinstance(shape, VolumeShape):  # counted before voxels were joined
        shape = dataclasses.replace(shape, volume=size, equivalent_diameter=diameter)
    tissue = tissue_around(
        grey,
        numbers,
        number=number,
        box=box,
        step=step,
        diameter=diameter,
        depth_axis=depth_axis,
        fat_level=fat_level,
    )
    return shape, tissue


def _joined(
    grey: NDArray[np.uint8], numbers: NDArray[np.integer], *, number: int, step: tuple[float, ...]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[float, ...]]:
    """A window on `MOST_VOXELS`: grey values, the lesion as 1 and others as 2, and the size of a voxel there.

    A voxel belongs to the lesion of which half of it is. Where none does, as in a sheet, the fullest ones do.
    """
    steps = steps_to(MOST_VOXELS, shape=grey.shape, spacing=np.asarray(step))
    rest = [(0, -size % by) for size, by in zip(grey.shape, steps, strict=True)]
    shares = [
        averaged(np.pad(255 * part.astype(np.uint8), rest), steps=steps)
        for part in (numbers == number, (numbers != 0) & (numbers != number))
    ]
    lesion, others = (share >= max(1, min(128, int(share.max()))) for share in shares)
    joined = np.where(lesion, 1, np.where(others, 2, 0)).astype(np.uint8)
    longer = tuple(size * by for size, by in zip(step, steps, strict=True))
    return averaged(np.pad(grey, rest, mode="edge"), steps=steps), joined, longer


def _shape(part: NDArray[np.bool_], *, step: tuple[float, ...]) -> ImageShape | VolumeShape:
    if part.ndim == 2:
        return image_shape(part, step=step)
    from bustle.inference.descriptors.volume_shape import volume_shape  # takes long to import

    return volume_shape(part, step=step)


def _connected_parts(mask: NDArray) -> NDArray[np.int32]:
    if mask.ndim == 2:
        return np.asarray(cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[1], np.int32)
    from scipy.ndimage import label

    parts, _ = label(mask, structure=np.ones((3,) * mask.ndim))  # type: ignore[misc]
    return parts.astype(np.int32)


def _boxes(numbers: NDArray[np.integer]) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Every number and the box around its pixels."""
    if numbers.ndim > 2:
        from scipy.ndimage import find_objects

        found = enumerate(find_objects(numbers), start=1)
        yield from ((number, box) for number, box in found if box is not None)
        return
    places = np.nonzero(numbers)
    held = numbers[places]
    sizes = np.bincount(held)
    lowest = [np.full(len(sizes), size) for size in numbers.shape]
    highest = [np.zeros(len(sizes), int) for _ in numbers.shape]
    for axis, along in enumerate(places):
        np.minimum.at(lowest[axis], held, along)
        np.maximum.at(highest[axis], held, along)
    for number in map(int, np.flatnonzero(sizes)):
        ends = zip(lowest, highest, strict=True)
        yield number, tuple(slice(int(low[number]), int(high[number]) + 1) for low, high in ends)
