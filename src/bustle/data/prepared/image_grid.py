"""From an image of any size to the network's grid and back; training and inference share this one file.

Pixel (y, x) covers the square around its centre, as in OpenCV's `resize`: a resize by s maps the coordinate x to
(x + 0.5) s - 0.5, so that a structure keeps its place however often it goes there and back.

Images are resized bilinearly. Along an axis that shrinks, every source pixel is averaged in: plain bilinear sampling
at a quarter of the size reads two of every four pixels, which turns speckle into false texture. `area` averages with
OpenCV's area filter; `bilinear` is what the papers mean by it, PIL's filter, whose triangle widens with the step.
On BUSI at 256 pixels the two differ by 0.65 grey levels on the mean. Masks take the nearest
pixel, so that instance numbers survive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bustle.core.data_section import ImageData
from bustle.core.errors import InputError
from bustle.core.types import Box, Geometry, ImageMapping, Lesion
from bustle.data.prepared.lesion_measures import measure_lesions

MaskPixel = TypeVar("MaskPixel", np.uint8, np.bool_)


@dataclass(frozen=True)
class ImageGrid:
    """The network's grid `h w` for an image `H W`; see `Grid`."""

    geometry: Geometry
    mapping: ImageMapping
    interpolation: Literal["area", "bilinear"] = "area"

    @classmethod
    def of(cls, geometry: Geometry, *, section: ImageData) -> ImageGrid:
        """An image brought to `section.size`: stretched, or scaled and padded evenly on both sides.

        Raises `InputError` for a volume.
        """
        original = geometry.original_size
        if geometry.dims != 2:
            raise InputError(
                "is a volume, the model takes images",
                remedy="train a model for volumes (dims 3), or give one with --model: none comes with bustle",
            )
        resized: tuple[int, ...] = section.size
        if section.resize == "letterbox":
            scale = min(new / old for new, old in zip(section.size, original, strict=True))
            resized = tuple(max(1, round(edge * scale)) for edge in original)
        mapping = ImageMapping(
            resized_size=resized,
            pad_before=tuple((new - used) // 2 for new, used in zip(section.size, resized, strict=True)),
            network_size=section.size,
        )
        return cls(geometry, mapping, section.interpolation)

    @property
    def network(self) -> Geometry:
        spacing = self.geometry.spacing
        if spacing is not None:
            sizes = zip(spacing, self.geometry.original_size, self.mapping.resized_size, strict=True)
            spacing = tuple(step * old / new for step, old, new in sizes)
        return Geometry(self.mapping.network_size, spacing=spacing)

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An image `C H W` on the network's grid `C h w`; the number of channels stays."""
        resize = _resize_as_pil if self.interpolation == "bilinear" else _resize
        resized = [resize(plane, self.mapping.resized_size) for plane in image]
        return self._pad(np.stack(resized))

    def mask_to_network(self, mask: NDArray[MaskPixel]) -> NDArray[MaskPixel]:
        """A mask or an instance map `H W` on the network's grid `h w`, nearest pixel."""
        if mask.shape != self.geometry.original_size:
            raise ValueError(f"mask {mask.shape} and image {self.geometry.original_size} differ in size")
        height, width = self.mapping.resized_size
        bytewise = np.ascontiguousarray(mask).view(np.uint8)
        resized = cv2.resize(bytewise, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        return self._pad(np.asarray(resized)).view(mask.dtype)

    def box_to_network(self, box: Box) -> Box:
        """The smallest box of whole network pixels that holds `box`, cut at the network's edges."""
        mapping = self.mapping
        start, stop = [], []
        for axis, edges in enumerate(((box.y_start, box.y_stop), (box.x_start, box.x_stop))):
            scale = mapping.resized_size[axis] / self.geometry.original_size[axis]
            offset = mapping.pad_before[axis]
            size = mapping.network_size[axis]
            low = min(max(math.floor(edges[0] * scale + offset + 1e-6), 0), size - 1)
            start.append(low)
            stop.append(min(max(math.ceil(edges[1] * scale + offset - 1e-6), low + 1), size))
        return Box(start[0], start[1], stop[0], stop[1])

    def map_to_original(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map `h w` of the network on the original grid `H W`: padding cut off, then resized bilinearly."""
        (top, left), (height, width) = self.mapping.pad_before, self.mapping.resized_size
        seen = np.ascontiguousarray(values[top : top + height, left : left + width])
        return _resize(seen, self.geometry.original_size)

    def measure(self, mask: NDArray[np.bool_], probability: NDArray[np.float32]) -> tuple[Lesion, ...]:
        """The lesions of a mask `H W` and their mean of a probability map `H W`, as `measure_lesions` says."""
        return measure_lesions(mask, probability, spacing=self.geometry.spacing)

    def _pad(self, array: NDArray) -> NDArray:
        if self.mapping.resized_size == self.mapping.network_size:
            return array
        (top, left), (height, width) = self.mapping.pad_before, self.mapping.resized_size
        padded = np.zeros((*array.shape[:-2], *self.mapping.network_size), array.dtype)
        padded[..., top : top + height, left : left + width] = array
        return padded


def _resize(plane: NDArray, size: tuple[int, ...]) -> NDArray:
    """Resize `H W` bilinearly, averaging along every axis that shrinks; uint8 or float32."""
    height, width = size
    if plane.shape == (height, width):
        return plane.copy()
    if height < plane.shape[0] or width < plane.shape[1]:
        shrunk = (min(height, plane.shape[0]), min(width, plane.shape[1]))
        plane = np.asarray(cv2.resize(plane, shrunk[::-1], interpolation=cv2.INTER_AREA))
        if shrunk == (height, width):
            return plane
    return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR))


def _resize_as_pil(plane: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """Resize `H W` with PIL's bilinear filter."""
    height, width = size
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR), np.uint8)
