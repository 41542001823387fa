"""Masks of another size than their image: refused, or resized where the data set or a person says that they fit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError

OTHER_SIZES: Mapping[str, str] = {
    "masks": "`resize`: a mask of another size than its image is resized to it, each pixel taking the nearest value, "
    "with a finding; default: refused",
}
"""The option of readers whose masks are files, and its meaning."""

OtherSize = Literal["refuse", "resize"]
Mask = TypeVar("Mask", bound=NDArray[Any])


def other_size_of(options: Mapping[str, str]) -> OtherSize:
    """What the option says; raises `InputError` for another word."""
    word = options.get("masks", "refuse")
    if word == "refuse" or word == "resize":
        return word
    raise InputError(f"masks={word} is not known", remedy="write masks=resize, or leave it out")


def fitted(mask: Mask, size: tuple[int, ...], *, other: OtherSize, path: Path) -> Mask:
    """The mask `*S` or `H W C` on the grid of its image's `size`; an image's may be resized, a volume's never.

    No value arises that the mask does not have, so that numbers of lesions and colours of classes keep their meaning.
    Raises `InputError` for a mask of another size that may not be resized.
    """
    found = mask.shape[: len(size)]
    if found == size:
        return mask
    if other == "refuse" or len(size) != 2:
        raise size_mismatch(path, found, size)
    pixels = mask.view(np.uint8) if mask.dtype == np.bool_ else mask
    resized = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(resized, np.uint8).astype(mask.dtype)  # type: ignore[return-value]


def size_mismatch(path: Path, mask_size: tuple[int, ...], size: tuple[int, ...]) -> InputError:
    found, expected = (" x ".join(map(str, reversed(sides))) for sides in (mask_size, size))
    remedy = "give image and mask the same size, or leave the case out"
    return InputError(
        f"the mask is {found} pixels, its image {expected}",
        remedy=f"{remedy}; if it shows the whole image, add ?masks=resize" if len(size) == 2 else remedy,
        path=path,
    )
