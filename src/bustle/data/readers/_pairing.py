"""Images and the masks that belong to them, by the names that people give to masks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bustle.data.readers._folders import image_or_volume_files, natural_key
from bustle.io.names import normal_form
from bustle.io.volume import volume_stem

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "original", "originals")
MASK_FOLDERS = ("masks", "mask", "gt", "ground_truth", "groundtruth", "annotations", "segmentations", "labels")

_WORD = "mask|seg|segmentation|gt|label|annotation|tumor|lesion"
_MASK_NAME = re.compile(rf"(?P<image>.+?)[_-](?:{_WORD})(?:[_-]?\d+|\s*\(\d+\))?", re.IGNORECASE)
_MASK_FIRST = re.compile(rf"(?:{_WORD})[_-](?P<image>.+)", re.IGNORECASE)


@dataclass(frozen=True)
class Pairs:
    """Masks by image, each image with none or several, and the masks that belong to no image."""

    masks: dict[Path, tuple[Path, ...]]
    orphans: list[Path]


def image_of_mask(stem: str) -> str | None:
    """The stem of the image that a mask's name names, such as `a` of `a_mask_1`; None for other names."""
    match = _MASK_NAME.fullmatch(stem) or _MASK_FIRST.fullmatch(stem)
    return None if match is None else match["image"]


def paired_folders(images: Path, masks: Path | None) -> Pairs:
    """Images and masks that lie in a folder each."""
    pictures = image_or_volume_files(images)
    return _paired(pictures, [] if masks is None else image_or_volume_files(masks))


def paired_beside(folder: Path) -> Pairs:
    """Images whose masks lie beside them under a name that says so."""
    files = image_or_volume_files(folder)
    stems = {_stem(file) for file in files}
    masks = [file for file in files if (image := image_of_mask(_stem(file))) is not None and image in stems]
    rest = [file for file in files if file not in set(masks)]
    return _paired(rest, masks)


def named_folder(root: Path, names: Iterable[str]) -> Path | None:
    """The folder directly in `root` that bears one of the names in any case; the first name counts most."""
    folders = {entry.name.lower(): entry for entry in sorted(root.iterdir()) if entry.is_dir()}
    return next((folders[name] for name in names if name in folders), None)


def _paired(images: list[Path], masks: list[Path]) -> Pairs:
    by_stem: dict[str, list[Path]] = defaultdict(list)
    stems = {_stem(image) for image in images}
    orphans = []
    for mask in masks:
        stem = _stem(mask)
        image = stem if stem in stems else image_of_mask(stem)
        if image in stems:
            by_stem[image or ""].append(mask)
        else:
            orphans.append(mask)
    ordered = {stem: tuple(sorted(files, key=lambda file: natural_key(file.name))) for stem, files in by_stem.items()}
    return Pairs({image: ordered.get(_stem(image), ()) for image in images}, orphans)


def _stem(file: Path) -> str:
    return normal_form(volume_stem(file))
