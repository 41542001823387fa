"""The data section of a recipe: how cases become network inputs, as whole images or as patches of volumes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from bustle.core.config import LEFT_OUT_AT_DEFAULT
from bustle.core.types import CLASS_NAMES
from bustle.core.views import Views

LARGEST_EDGE = 8192
"""Pixels or voxels: more than any scanner's picture has."""


@dataclass(frozen=True, kw_only=True)
class DataSection:
    """What images and volumes share; a recipe has one of the two sections below, which its `resize` tells apart.

    `size` is that of the network's input in pixels or voxels. `channels` 3 repeats grey images. Intensities are
    scaled to 0..1; `normalisation`: `fixed` subtracts `mean` and divides by `std`, one value per channel, `z_score`
    takes every input's own mean and deviation instead. `classes` fixes the order of the class logits; cases of
    another known class are left out. `class_groups` makes one class of several, such as
    {lesion: [benign, malignant]}.
    `multi_mask`: what to do with cases that own several mask files. `location`: what stands for the place of a
    lesion in training: `mask` = its outline, `box` = its box, filled (an outlined lesion's is the tight one).
    `located_fraction` of the training cases keep their mask or box, the others keep only their class; the cases
    that a smaller fraction keeps are among those that a larger one keeps.
    `needs_place`: the network sees a patch about a place, which must be told or searched, and not the whole case.
    """

    needs_place: ClassVar[bool] = False

    size: tuple[int, ...]
    resize: str
    channels: Literal[1, 3] = 3
    normalisation: Literal["fixed", "z_score"] = "fixed"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    classes: tuple[str, ...] = ("benign", "malignant")
    class_groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    multi_mask: Literal["union", "drop", "first"] = "union"
    location: Literal["mask", "box"] = "mask"
    located_fraction: float = 1.0

    def __post_init__(self) -> None:
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need {self.channels} values, one per channel")
        if not all(32 <= edge <= LARGEST_EDGE for edge in self.size):
            raise ValueError(f"size must be 32 to {LARGEST_EDGE} along every axis")
        if not all(1e-6 <= value <= 1e6 for value in self.std) or not all(abs(value) <= 1e6 for value in self.mean):
            raise ValueError("std must lie between 1e-6 and 1e6, mean between -1e6 and 1e6")
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError("classes must name at least one class, and each only once")
        grouped = [name for members in self.class_groups.values() for name in members]
        known = {*CLASS_NAMES, *self.class_groups} - set(grouped)
        foreign = set(grouped) - set(CLASS_NAMES) or set(self.class_groups) - set(self.classes)
        if foreign or len(set(grouped)) < len(grouped):
            raise ValueError(
                f"class_groups must make some of the classes, each of other ones among {', '.join(CLASS_NAMES)}"
            )
        if set(self.classes) - known:
            raise ValueError(f"classes must be among {', '.join(sorted(known))}")
        if not 0 <= self.located_fraction <= 1:
            raise ValueError("located_fraction must lie between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class ImageData(DataSection):
    """Whole images, resized to `size` (height, width).

    `resize`: `stretch` ignores the aspect ratio, `letterbox` keeps it and pads with zeros. `interpolation` of an
    image that shrinks: `area` averages the squares of its pixels, `bilinear` weighs them by a triangle that is as
    wide as two new pixels, as PIL and torchvision resize. Runs and packages that do not name it have `area`.
    """

    size: tuple[int, int] = (256, 256)
    resize: Literal["stretch", "letterbox"] = "stretch"
    interpolation: Literal["area", "bilinear"] = field(default="area", metadata=LEFT_OUT_AT_DEFAULT)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.size) != 2:
            raise ValueError("size must be [height, width] of an image; volumes have resize: patch")

    @property
    def prepared_size(self) -> tuple[int, int]:
        """The size of every prepared image."""
        return self.size

    def preparation(self) -> dict[str, Any]:
        """What decides the pixels of a prepared image, besides the image itself."""
        interpolation = {} if self.interpolation == "area" else {"interpolation": self.interpolation}
        return {"size": list(self.size), "resize": self.resize, "multi_mask": self.multi_mask, **interpolation}


@dataclass(frozen=True, kw_only=True)
class PatchData(DataSection):
    """Volumes, resampled to voxels of `spacing_mm` and cut into patches of `size` (slices, depth, width).

    What of a patch lies outside of the volume has the volume's least value. In training, `lesion_share` of the
    patches hold a lesion's centre, the others lie where there is none, as far as possible. `lesion_offset`: the part
    of the patch's edge by which the centre lies off its middle at most, along every axis.
    """

    needs_place: ClassVar[bool] = True

    size: tuple[int, int, int]
    resize: Literal["patch"] = "patch"
    spacing_mm: float
    lesion_share: float = 1.0
    lesion_offset: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.size) != 3:
            raise ValueError("size must be [slices, depth, width] of a patch")
        if not self.spacing_mm > 0:
            raise ValueError("spacing_mm must be positive")
        if not 0 <= self.lesion_share <= 1:
            raise ValueError("lesion_share must lie between 0 and 1")
        if not 0 <= self.lesion_offset <= 0.45:
            raise ValueError("lesion_offset must lie between 0 and 0.45, or the centre may leave the patch")

    @property
    def prepared_size(self) -> None:
        """Each prepared volume has its own."""
        return

    def preparation(self) -> dict[str, Any]:
        """What decides the voxels of a prepared volume, besides the volume itself."""
        return {"spacing_mm": self.spacing_mm, "resize": self.resize, "multi_mask": self.multi_mask}


def check_views(views: Views, data: DataSection) -> None:
    """Raises `ValueError` for views of volumes, which a network sees by patches about places."""
    if data.needs_place and not views.is_single:
        raise ValueError("views are for images, and the data section is one of volumes")


PATCHES_ONLY = {f.name for f in dataclasses.fields(PatchData)} - {f.name for f in dataclasses.fields(ImageData)}


def upgraded_data(section: Mapping[str, Any]) -> dict[str, Any]:
    """A data section of runs and packages from before images and volumes had one each, as it is written now.

    Every field stood in both then, so that a section of images says `spacing_mm: null`. Any other stays as it is.
    """
    of_images = section.get("resize") != "patch" and section.get("spacing_mm", 0) is None
    return {name: value for name, value in section.items() if not (of_images and name in PATCHES_ONLY)}
