"""BUSI: 780 images in three folders named after the class, masks beside the images."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from bustle.core.errors import InputError, unknown_name
from bustle.core.types import CLASS_NAMES, Collection, Label
from bustle.data.readers._annotations import Annotations
from bustle.data.readers._cases import CollectionBuilder
from bustle.data.readers._folders import by_stem, data_folder, folders_with_images, image_files, no_images
from bustle.data.readers._lesions import UnitedMasks
from bustle.data.readers._mask_sizes import OTHER_SIZES, other_size_of
from bustle.data.sources import ReaderDescription
from bustle.io.names import normal_form

DESCRIPTION = ReaderDescription(
    title="BUSI (Breast Ultrasound Images)",
    layout="""
Dataset_BUSI_with_GT/             (this folder, or the one that holds it)
  benign/benign (1).png
  benign/benign (1)_mask.png
  benign/benign (54)_mask_1.png   a further lesion of the same image
  malignant/…
  normal/…                        with empty masks
""",
    licence="Published as open research data with its article (CC BY)",
    citation=(
        "Al-Dhabyani W, Gomaa M, Khaled H, Fahmy A. Dataset of breast ultrasound images. Data in Brief 28, 104863 "
        "(2020). doi:10.1016/j.dib.2019.104863"
    ),
    obtain="The web page named in the article; the archive unpacks to `Dataset_BUSI_with_GT`",
    options=OTHER_SIZES,
)

_MASK_STEM = re.compile(r"(?P<image>.*)_mask(?:_\d+|\s*\(\d+\))?")


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """780 cases `busi/benign (1)` in the complete set; several mask files of an image become several lesions."""
    root = data_folder(path, reader="busi")
    nested = root / "Dataset_BUSI_with_GT"
    root = nested if nested.is_dir() else root
    folders: list[tuple[Label, Path]] = [(label, root / label) for label in CLASS_NAMES if (root / label).is_dir()]
    if not folders:
        raise InputError(
            "has none of the folders benign/, malignant/ and normal/",
            remedy="give the folder Dataset_BUSI_with_GT",
            path=root,
        )
    for unread in folders_with_images(root, besides=CLASS_NAMES):
        raise unknown_name("class folder", unread.name, CLASS_NAMES, path=root)
    builder = CollectionBuilder(name, other_size=other_size_of(options))
    without_mask: list[str] = []
    orphans: list[Path] = []
    for label, folder in folders:
        _read_class(folder, label, builder, without_mask=without_mask, orphans=orphans)
    absent = [label for label in CLASS_NAMES if not (root / label).is_dir()]
    if absent:
        builder.note("missing-folder", f"{name}: {root.name} has no folder {' and none '.join(absent)}")
    builder.note_cases("image-without-mask", "images have no mask", without_mask)
    builder.note_files("mask-without-image", "masks belong to no image", orphans)
    collection = builder.collection()
    if not collection.cases:
        raise no_images(root, reader="busi")
    return collection


def _read_class(
    folder: Path, label: Label, builder: CollectionBuilder, *, without_mask: list[str], orphans: list[Path]
) -> None:
    images: list[Path] = []
    masks: dict[str, list[Path]] = defaultdict(list)
    for file in image_files(folder):
        match = _MASK_STEM.fullmatch(file.stem)
        if match:
            masks[normal_form(match["image"])].append(file)
        else:
            images.append(file)
    for stem, image in by_stem(images).items():
        files = tuple(sorted(masks.pop(stem, []), key=lambda file: (len(file.stem), file.stem)))
        if not files:
            without_mask.append(stem)
        lesions = UnitedMasks(files, label) if files or label == "normal" else None
        builder.add(stem, image=image, annotations=Annotations(lesions=lesions, label=label))
    orphans += [file for files in masks.values() for file in files]
