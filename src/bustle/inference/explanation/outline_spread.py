"""How far the lesion map moves when the network looks again at a flipped or smaller view of the same case.

Test-time augmentation as a measure of uncertainty: Wang, Li, Aertsen, Deprest, Ourselin, Vercauteren, "Aleatoric
uncertainty estimation with test-time augmentation for medical image segmentation with convolutional neural
networks", Neurocomputing 2019. Own choices: images are mirrored left to right, as depth is not, and shrunk to 0.9 and
0.8 of their size, each with black around it; patches of volumes are mirrored along the two axes across depth.
A model that takes the mean over views of its own is asked for that mean each time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

SCALES = (1.0, 0.9, 0.8)
ACROSS_DEPTH = {2: (1,), 3: (0, 2)}
"""The axes along which a view may be mirrored, by their number."""

LesionMap = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""What a network says of pixels uint8 `C *s`: the lesion probability `*s`."""


def outline_spread(pixels: NDArray[np.uint8], *, lesion_map: LesionMap) -> NDArray[np.float32]:
    """The standard deviation `*s` of the lesion map of `C *s` over the views, each brought back to the first."""
    seen = list(_looks(pixels, lesion_map=lesion_map))
    return np.std(np.stack(seen), axis=0, dtype=np.float64).astype(np.float32)


def _looks(pixels: NDArray[np.uint8], *, lesion_map: LesionMap) -> Iterator[NDArray[np.float32]]:
    axes = ACROSS_DEPTH[pixels.ndim - 1]
    mirrors = [chosen for count in range(len(axes) + 1) for chosen in itertools.combinations(axes, count)]
    for scale, mirrored in itertools.product(SCALES if len(axes) == 1 else SCALES[:1], mirrors):
        shown = np.flip(_shrunk(pixels, scale), tuple(axis + 1 for axis in mirrored))
        found = np.flip(lesion_map(np.ascontiguousarray(shown)), mirrored)
        yield _enlarged(np.ascontiguousarray(found), scale)


def _shrunk(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """An image `C h w` shrunk about its middle, black around it."""
    if scale == 1:
        return pixels
    (top, left), (height, width) = _inner(pixels.shape[1:], scale)
    result = np.zeros_like(pixels)
    for plane, shrunk in zip(pixels, result, strict=True):
        small = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
        shrunk[top : top + height, left : left + width] = small
    return result


def _enlarged(values: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """The map `h w` of a shrunk image on the grid of the whole one."""
    if scale == 1:
        return values
    (top, left), (height, width) = _inner(values.shape, scale)
    inner = np.ascontiguousarray(values[top : top + height, left : left + width])
    return np.asarray(cv2.resize(inner, values.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _inner(size: tuple[int, ...], scale: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where a shrunk image lies in its own grid: corner and size."""
    height, width = (round(edge * scale) for edge in size)
    return ((size[0] - height) // 2, (size[1] - width) // 2), (height, width)
