"""From an image of any size to the network's grid and back; training and inference share this one file.

Pixel (y, x) covers the square around its centre, as in OpenCV's `resize`: a resize by s maps the coordinate x to
(x + 0.5) s - 0.5, so that a structure keeps its place however often it goes there and back.

Images are resized bilinearly. Along an axis that shrinks, every source pixel is averaged in (OpenCV's area
filter): plain bilinear sampling at a quarter of the size reads two of every four pixels, which turns speckle into
false texture. The papers' "bilinear" means the same, because PIL and torchvision widen the bilinear filter when
they shrink an image. Masks take the nearest pixel, so that instance numbers survive.
"""

from __future__ import annotations

import math
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.data_section import DataSection, ImageData
from bustle.core.errors import InputError
from bustle.core.types import Box, Geometry

MaskPixel = TypeVar("MaskPixel", np.uint8, np.bool_)

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey value (ITU-R BT.601)."""

LEAST_DEVIATION = 1e-3
"""In grey values of 0..255: a patch of equal values becomes zero, not a division by zero."""


def network_geometry(
    original_size: tuple[int, ...], *, section: ImageData, spacing: tuple[float, ...] | None = None
) -> Geometry:
    """The mapping of an image `H W` to `section.size`: stretched, or scaled and padded evenly on both sides."""
    if len(original_size) != 2:
        raise InputError("is a volume, the model takes images", remedy="choose a model for volumes (dims 3)")
    if section.resize == "stretch":
        resized_size = section.size
    else:
        scale = min(new / old for new, old in zip(section.size, original_size, strict=True))
        resized_size = tuple(max(1, round(edge * scale)) for edge in original_size)
    return Geometry(
        original_size=original_size,
        spacing=spacing,
        crop_start=(0, 0),
        crop_size=original_size,
        resized_size=resized_size,
        pad_before=tuple((new - used) // 2 for new, used in zip(section.size, resized_size, strict=True)),
        network_size=section.size,
    )


def to_network_grid(
    image: NDArray[np.uint8], *, section: ImageData, spacing: tuple[float, ...] | None = None
) -> tuple[NDArray[np.uint8], Geometry]:
    """Resize an image `C H W` to `C h w` and say how; `spacing` (mm per original pixel) is kept in the geometry.

    The number of channels stays: `normalise` turns it into what the network takes.
    """
    geometry = network_geometry(image.shape[1:], section=section, spacing=spacing)
    resized = [_resize(plane, geometry.resized_size) for plane in _crop(image, geometry)]
    return _pad(np.stack(resized), geometry), geometry


def mask_to_network_grid(mask: NDArray[MaskPixel], *, geometry: Geometry) -> NDArray[MaskPixel]:
    """Bring a mask or an instance map `H W` to the network's grid `h w`, nearest pixel."""
    if mask.shape != geometry.original_size:
        raise ValueError(f"mask {mask.shape} and image {geometry.original_size} differ in size")
    height, width = _known(geometry.resized_size)
    cropped = np.ascontiguousarray(_crop(mask, geometry)).view(np.uint8)
    resized = cv2.resize(cropped, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return _pad(np.asarray(resized), geometry).view(mask.dtype)


def map_to_original_grid(probability: NDArray[np.float32], *, geometry: Geometry) -> NDArray[np.float32]:
    """Return a map `h w` of the network to the original grid `H W`: padding cut off, then resized bilinearly.

    Parts of the original that the network did not see (outside of the crop) are 0.
    """
    top, left = _known(geometry.pad_before)
    height, width = _known(geometry.resized_size)
    seen = _resize(np.ascontiguousarray(probability[top : top + height, left : left + width]), geometry.crop_size)
    if geometry.crop_size == geometry.original_size:
        return seen
    whole = np.zeros(geometry.original_size, np.float32)
    _crop(whole, geometry)[...] = seen
    return whole


def box_to_network_grid(box: Box, *, geometry: Geometry) -> Box:
    """The smallest box of whole network pixels that holds `box`, cut at the network's edges."""
    start, stop = [], []
    for axis, edges in enumerate(((box.y_start, box.y_stop), (box.x_start, box.x_stop))):
        scale = _known(geometry.resized_size)[axis] / _known(geometry.crop_size)[axis]
        offset = _known(geometry.pad_before)[axis] - _known(geometry.crop_start)[axis] * scale
        size = _known(geometry.network_size)[axis]
        low = min(max(math.floor(edges[0] * scale + offset + 1e-6), 0), size - 1)
        start.append(low)
        stop.append(min(max(math.ceil(edges[1] * scale + offset - 1e-6), low + 1), size))
    return Box(start[0], start[1], stop[0], stop[1])


def normalise(image: NDArray, *, section: DataSection) -> NDArray[np.float32]:
    """Intensities 0..255 `… C *S` to float32 `… section.channels *S`, as `section.normalisation` says.

    `fixed`: (x / 255 - mean) / std per channel; `z_score`: (x - its mean) / its deviation, over all channels and
    pixels of each input, zero where all are equal. Grey is repeated where the network takes three channels; colour
    becomes luma where it takes one.
    """
    dims = len(section.size)
    axis = image.ndim - 1 - dims
    values = image.astype(np.float32)
    if section.channels == 1 and image.shape[axis] == 3:
        values = np.expand_dims(np.tensordot(values, np.asarray(LUMA, np.float32), axes=(axis, 0)), axis)
    if section.normalisation == "z_score":
        everything = tuple(range(axis, values.ndim))
        values = values - values.mean(axis=everything, keepdims=True)
        deviation = np.sqrt(np.square(values).mean(axis=everything, keepdims=True))
        values /= np.maximum(deviation, np.float32(LEAST_DEVIATION))
        return np.repeat(values, section.channels, axis) if values.shape[axis] < section.channels else values
    per_channel = (-1, *[1] * dims)
    mean, std = np.reshape(section.mean, per_channel), np.reshape(section.std, per_channel)
    return values * (1 / (255 * std)).astype(np.float32) - (mean / std).astype(np.float32)


def _resize(plane: NDArray, size: tuple[int, ...] | None) -> NDArray:
    """Resize `H W` bilinearly, averaging along every axis that shrinks; uint8 or float32."""
    height, width = _known(size)
    if plane.shape == (height, width):
        return plane.copy()
    if height < plane.shape[0] or width < plane.shape[1]:
        shrunk = (min(height, plane.shape[0]), min(width, plane.shape[1]))
        plane = np.asarray(cv2.resize(plane, shrunk[::-1], interpolation=cv2.INTER_AREA))
        if shrunk == (height, width):
            return plane
    return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR))


def _crop(array: NDArray, geometry: Geometry) -> NDArray:
    (y, x), (height, width) = _known(geometry.crop_start), _known(geometry.crop_size)
    return array[..., y : y + height, x : x + width]


def _pad(array: NDArray, geometry: Geometry) -> NDArray:
    if geometry.resized_size == geometry.network_size:
        return array
    (top, left), (height, width) = _known(geometry.pad_before), _known(geometry.resized_size)
    padded = np.zeros((*array.shape[:-2], *_known(geometry.network_size)), array.dtype)
    padded[..., top : top + height, left : left + width] = array
    return padded


def _known(size: tuple[int, ...] | None) -> tuple[int, ...]:
    if size is None:
        raise ValueError("this geometry records no mapping to a network's grid")
    return size
