"""Lesion annotations of one case, from files to an instance map.

A source names its `files` and reads them into (instance map uint8 `*S`, label of each lesion). Where outlines
overlap, a pixel belongs to the smaller lesion, so that no lesion is erased by another that surrounds it and the
union of the instances is the union of the outlines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.types import Label
from bustle.data.readers._mask_sizes import OtherSize, fitted
from bustle.io.raster import read_instance_map, read_mask
from bustle.io.volume import is_volume, read_instance_volume

MAX_LESIONS = 254

Lesions = tuple[NDArray[np.uint8], tuple[Label | None, ...]]


class LesionSource(Protocol):
    """Picklable, as cases are."""

    @property
    def files(self) -> tuple[Path, ...]: ...

    def read(self, size: tuple[int, ...], *, other: OtherSize = "refuse") -> Lesions:
        """Decode for an image or a volume of `size`. Raises `InputError` for a mask whose size is refused."""
        ...


@dataclass(frozen=True)
class UnitedMasks:
    """One mask file per lesion: lesion i is the i-th file that is not empty. Without files: no lesion."""

    files: tuple[Path, ...]
    label: Label | None

    def read(self, size: tuple[int, ...], *, other: OtherSize = "refuse") -> Lesions:
        masks = [fitted(read_mask(file), size, other=other, path=file) for file in self.files]
        instances, kept = paint_instances(masks, size=size)
        return instances, lesion_labels(self.label, count=len(kept))


@dataclass(frozen=True)
class NumberedMask:
    """One mask file that is binary (one lesion) or numbers its lesions 1..n."""

    file: Path
    label: Label | None

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.file,)

    def read(self, size: tuple[int, ...], *, other: OtherSize = "refuse") -> Lesions:
        decode = read_instance_volume if is_volume(self.file) else read_instance_map
        instances = fitted(decode(self.file), size, other=other, path=self.file)
        return instances, lesion_labels(self.label, count=int(instances.max()))


def lesion_labels(case_label: Label | None, *, count: int) -> tuple[Label | None, ...]:
    """The classes of the lesions of a case of this class; a lesion is never normal."""
    return tuple(None if case_label == "normal" else case_label for _ in range(count))


def paint_instances(
    masks: Sequence[NDArray[np.bool_]], *, size: tuple[int, ...]
) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Masks `*S` to one instance map, and which masks became the instances 1..n.

    Empty masks and repetitions of an earlier mask become no instance.
    """
    areas = [int(mask.sum()) for mask in masks]
    owner = np.zeros(size, np.int32)
    for index in sorted(range(len(masks)), key=lambda i: (-areas[i], -i)):
        owner[masks[index]] = index + 1
    kept = tuple(int(number) - 1 for number in np.unique(owner) if number)
    if len(kept) > MAX_LESIONS:
        raise InputError(f"{len(kept)} lesions in one image", remedy=f"annotate at most {MAX_LESIONS} lesions")
    numbers = np.zeros(len(masks) + 1, np.uint8)
    numbers[[index + 1 for index in kept]] = np.arange(1, len(kept) + 1)
    return numbers[owner], kept
