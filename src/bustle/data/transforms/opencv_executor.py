"""Applies a drawn transform to one case on the processor: one OpenCV warp for the image, one per mask.

OpenCV interpolates uint8 images in fixed point (1/32 pixel before version 5). It may use several threads; loader
processes should call `cv2.setNumThreads(0)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from bustle.data.prepared.intensities import LUMA
from bustle.data.transforms.drawn_fields import blur_kernel, depth_gain, marks_field, speckle_field
from bustle.data.transforms.drawn_transform import DrawnTransform, IntensityStep

MaskPixel = TypeVar("MaskPixel", np.uint8, np.bool_)

LEVELS = np.arange(256, dtype=np.float64)


def apply(
    image: NDArray[np.uint8], masks: Sequence[NDArray[MaskPixel]], drawn: DrawnTransform
) -> tuple[NDArray[np.uint8], list[NDArray[MaskPixel]]]:
    """Transform an image uint8 `C h w` and its masks or instance maps `h w`; the arguments stay as they are.

    A grey image in three channels is changed once and repeated.
    """
    grey_as_colour = image.shape[0] == 3 and np.array_equal(image[0], image[1]) and np.array_equal(image[0], image[2])
    changed = image[:1] if grey_as_colour else image
    for step in drawn.before:
        changed = _change_intensities(changed, step)
    if drawn.moves:
        matrix = np.array(drawn.source_from_target).reshape(2, 3)
        how = cv2.INTER_NEAREST if drawn.keeps_pixels_whole else cv2.INTER_LINEAR
        changed = _each_plane(changed, lambda plane: _warp(plane, matrix, how))
        moved = [_warp(mask.view(np.uint8), matrix, cv2.INTER_NEAREST).view(mask.dtype) for mask in masks]
    else:
        moved = [mask.copy() for mask in masks]
    for step in drawn.after:
        changed = _change_intensities(changed, step)
    if grey_as_colour:
        return np.repeat(changed, 3, axis=0), moved
    return image.copy() if changed is image else changed, moved


def _warp(plane: NDArray[np.uint8], matrix: NDArray[np.float64], how: int) -> NDArray[np.uint8]:
    size = (plane.shape[1], plane.shape[0])
    return np.asarray(cv2.warpAffine(plane, matrix, size, flags=how | cv2.WARP_INVERSE_MAP), np.uint8)


def _each_plane(image: NDArray[np.uint8], change: Callable[[NDArray[np.uint8]], MatLike]) -> NDArray[np.uint8]:
    """Apply `change` to every channel: faster than OpenCV's interleaved channels, which need two copies more."""
    if image.shape[0] == 1:
        return np.asarray(change(image[0]), np.uint8)[None]
    return np.stack([np.asarray(change(plane), np.uint8) for plane in image])


def _change_intensities(image: NDArray[np.uint8], step: IntensityStep) -> NDArray[np.uint8]:
    if step.name == "gaussian_blur":
        kernel, sigma = int(step.values[0]), step.values[1]
        return _each_plane(image, lambda plane: cv2.GaussianBlur(plane, (kernel, kernel), sigma))
    if step.name == "median_blur":
        return _each_plane(image, lambda plane: cv2.medianBlur(plane, int(step.values[0])))
    if step.name == "speckle":
        strength, grain, seed = step.values
        noise = 1 + strength * speckle_field(image.shape[-2:], grain=grain, seed=int(seed))
        return _each_plane(image, lambda plane: _bytes(plane * noise))
    if step.name == "marks":
        count, grey, seed = map(int, step.values)
        painted = marks_field(image.shape[-2:], count=count, grey=grey, seed=seed)
        return np.where(painted > 0, painted, image)
    if step.name == "tone_curve":
        curve = np.interp(LEVELS, np.linspace(0, 255, len(step.values)), step.values)
        return _each_plane(image, lambda plane: cv2.LUT(plane, np.rint(curve).astype(np.uint8)))
    if step.name == "sharpen":
        amount, sigma = step.values
        kernel = (blur_kernel(sigma),) * 2
        return _each_plane(
            image,
            lambda plane: cv2.addWeighted(plane, 1 + amount, cv2.GaussianBlur(plane, kernel, sigma), -amount, 0),
        )
    value = step.values[0]
    if step.name == "depth_gain":
        gain = depth_gain(image.shape[-2], stops=value)[:, None]
        return _each_plane(image, lambda plane: _bytes(plane * gain))
    if step.name == "brightness":
        return _each_plane(image, lambda plane: cv2.convertScaleAbs(plane, alpha=value))
    if step.name == "contrast":
        offset = (1 - value) * _luma_mean(image)
        return _each_plane(image, lambda plane: cv2.addWeighted(plane, value, plane, 0, offset))
    if step.name == "gamma":
        table = np.rint(255 * (LEVELS / 255) ** value).astype(np.uint8)
        return _each_plane(image, lambda plane: cv2.LUT(plane, table))
    if image.shape[0] == 1:
        return image  # grey has neither saturation nor hue
    pixels = cv2.merge([plane.astype(np.float32) for plane in image])
    if step.name == "saturation":
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]
        pixels = grey + (pixels - grey) * np.float32(value)
    else:  # hue
        in_degrees = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
        in_degrees[..., 0] = (in_degrees[..., 0] + 360 * value) % 360
        pixels = cv2.cvtColor(in_degrees, cv2.COLOR_HSV2RGB)
    return _bytes(pixels).transpose(2, 0, 1).copy()


def _bytes(pixels: MatLike) -> NDArray[np.uint8]:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _luma_mean(image: NDArray[np.uint8]) -> float:
    means = [cv2.mean(plane)[0] for plane in image]
    return means[0] if len(means) == 1 else float(np.dot(means, LUMA))
