"""From intensities of 0..255 to what a network takes; training and inference share this one file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bustle.core.data_section import DataSection

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey value (ITU-R BT.601)."""

LEAST_DEVIATION = 1e-3
"""In grey values of 0..255: a patch of equal values becomes zero, not a division by zero."""


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
