"""All descriptors of all lesions of an image or a volume: the front of this package."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.inference.descriptors.birads_words import birads_words
from bustle.inference.descriptors.echo import echo_descriptors, indistinct_share
from bustle.inference.descriptors.image_shape import image_shape
from bustle.inference.descriptors.moments import DEPTH_AXIS
from bustle.inference.descriptors.results import ImageShape, LesionDescriptors, VolumeShape
from bustle.inference.descriptors.tissue import picture_frame, tissue_around


def describe_lesions(
    grey: NDArray[np.uint8],
    lesions: NDArray[np.integer] | NDArray[np.bool_],
    *,
    spacing: tuple[float, ...] | None,
    at_most: int | None = None,
) -> tuple[LesionDescriptors, ...]:
    """Measure the lesions of a grey image `H W` or volume `D H W`, uint8, the largest first, ties by position.

    `lesions` is a mask bool, whose connected parts (8 or 26 neighbours) are lesions as `measure_lesions` has them,
    or an instance map (0 = background); of more than `at_most` the smallest are left out. In mm where `spacing` is
    known, in pixels otherwise. Rows of an image are depth; a volume's axes are those of
    `bustle.data.prepared.orientation`: its second axis is depth.
    """
    if grey.shape != lesions.shape:
        raise ValueError(f"image {grey.shape} and lesions {lesions.shape} differ in size")
    numbers = _connected_parts(lesions) if lesions.dtype == np.bool_ else lesions.astype(np.int32)
    step = (1.0,) * grey.ndim if spacing is None else spacing
    frame = picture_frame(grey)
    boxes = sorted(_boxes(numbers), key=lambda found: _size_and_place(numbers, *found))
    depth_axis = 0 if grey.ndim == 2 else DEPTH_AXIS
    described = []
    for place, (number, box) in enumerate(boxes[:at_most], start=1):
        part = numbers[box] == number
        shape = _shape(part, step=step)
        tissue = tissue_around(
            grey,
            numbers,
            number=number,
            box=box,
            frame=frame,
            step=step,
            in_mm=spacing is not None,
            diameter=shape.equivalent_diameter,
            depth_axis=depth_axis,
        )
        echo = echo_descriptors(tissue, depth_axis=depth_axis)
        indistinct = indistinct_share(tissue) if grey.ndim == 2 else None
        described.append(
            LesionDescriptors(
                number=place,
                start=tuple(side.start for side in box),
                stop=tuple(side.stop for side in box),
                unit="px" if spacing is None else "mm",
                touches_edge=any(s.start <= f.start or s.stop >= f.stop for s, f in zip(box, frame, strict=True)),
                shape=shape,
                echo=echo,
                indistinct_share=indistinct,
                words=birads_words(shape, echo, indistinct_share=indistinct),
            )
        )
    return tuple(described)


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


def _boxes(numbers: NDArray[np.int32]) -> Iterator[tuple[int, tuple[slice, ...]]]:
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


def _size_and_place(
    numbers: NDArray[np.int32], number: int, box: tuple[slice, ...]
) -> tuple[int, list[int], list[int]]:
    return -int((numbers[box] == number).sum()), [side.start for side in box], [side.stop for side in box]
