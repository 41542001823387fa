"""Applies a drawn transform to one case on the processor: one OpenCV warp for the image, one per mask.

OpenCV interpolates uint8 images in fixed point (1/32 pixel before version 5). It may use several threads; loader
processes should call `cv2.setNumThreads(0)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.data.preprocess import LUMA
from bustle.data.transforms.drawn_transform import DrawnTransform, IntensityStep

MaskPixel = TypeVar("MaskPixel", np.uint8, np.bool_)

LEVELS = np.arange(256, dtype=np.float64)


def apply(
    image: NDArray[np.uint8], masks: Sequence[NDArray[MaskPixel]], drawn: DrawnTransform
) -> tuple[NDArray[np.uint8], list[NDArray[MaskPixel]]]:
    """Transform an image uint8 `C h w` and its masks or instance maps `h w`; the arguments stay as they are."""
    for step in drawn.before:
        image = _change_intensities(image, step)
    if drawn.moves:
        matrix = np.array(drawn.source_from_target).reshape(2, 3)
        how = cv2.INTER_NEAREST if drawn.keeps_pixels_whole else cv2.INTER_LINEAR
        image = np.stack([_warp(plane, matrix, how) for plane in image])
        masks = [_warp(mask.view(np.uint8), matrix, cv2.INTER_NEAREST).view(mask.dtype) for mask in masks]
    elif not drawn.before:
        image = image.copy()
    for step in drawn.after:
        image = _change_intensities(image, step)
    return image, list(masks) if drawn.moves else [mask.copy() for mask in masks]


def _warp(plane: NDArray[np.uint8], matrix: NDArray[np.float64], how: int) -> NDArray[np.uint8]:
    size = (plane.shape[1], plane.shape[0])
    return np.asarray(cv2.warpAffine(plane, matrix, size, flags=how | cv2.WARP_INVERSE_MAP), np.uint8)


def _change_intensities(image: NDArray[np.uint8], step: IntensityStep) -> NDArray[np.uint8]:
    if step.name == "gaussian_blur":
        kernel, sigma = int(step.values[0]), step.values[1]
        return np.stack([np.asarray(cv2.GaussianBlur(plane, (kernel, kernel), sigma)) for plane in image])
    if step.name == "median_blur":
        return np.stack([np.asarray(cv2.medianBlur(plane, int(step.values[0]))) for plane in image])
    value = step.values[0]
    if step.name == "brightness":
        return _mapped(image, LEVELS * value)
    if step.name == "contrast":
        mean = _luma_mean(image)
        return _mapped(image, mean + (LEVELS - mean) * value)
    if step.name == "gamma":
        return _mapped(image, 255 * (LEVELS / 255) ** value)
    if image.shape[0] == 1 or (np.array_equal(image[0], image[1]) and np.array_equal(image[0], image[2])):
        return image  # grey has neither saturation nor hue
    pixels = cv2.merge([plane.astype(np.float32) for plane in image])
    if step.name == "saturation":
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]
        pixels = grey + (pixels - grey) * np.float32(value)
    else:  # hue
        in_degrees = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
        in_degrees[..., 0] = (in_degrees[..., 0] + 360 * value) % 360
        pixels = cv2.cvtColor(in_degrees, cv2.COLOR_HSV2RGB)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8).transpose(2, 0, 1).copy()


def _mapped(image: NDArray[np.uint8], levels: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Replace each of the 256 levels by a new one."""
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    flat = np.ascontiguousarray(image).reshape(-1, image.shape[-1])
    return np.asarray(cv2.LUT(flat, table), np.uint8).reshape(image.shape)


def _luma_mean(image: NDArray[np.uint8]) -> float:
    means = [cv2.mean(plane)[0] for plane in image]
    return means[0] if len(means) == 1 else float(np.dot(means, LUMA))
