"""The layouts in which people keep images, masks and classes, found by looking at the folders' names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.types import Label
from bustle.data.readers._class_words import ClassWords
from bustle.data.readers._folders import folders_with_images, image_or_volume_files, natural_key
from bustle.data.readers._pairing import (
    IMAGE_FOLDERS,
    MASK_FOLDERS,
    Pairs,
    named_folder,
    paired_beside,
    paired_folders,
)
from bustle.data.readers._yolo import YoloLesions, class_names, read_yolo
from bustle.io.raster import image_size

PARTS = ("train", "training", "val", "valid", "validation", "test", "testing")


@dataclass(frozen=True)
class Item:
    """An image and what its place says: its masks, its class, the part of a split that it lies in."""

    image: Path
    masks: tuple[Path, ...] = ()
    label: Label | None = None
    folder: str = ""
    part: str = ""
    yolo: YoloLesions | None = None
    annotation: Path | None = None


@dataclass(frozen=True)
class Layout:
    """The items below a folder, what they were understood as, and masks that belong to none of them."""

    what: str
    items: tuple[Item, ...]
    orphans: tuple[Path, ...] = ()


def subfolders(root: Path) -> list[Path]:
    folders = (entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__MACOSX")))
    return sorted(folders, key=lambda folder: natural_key(folder.name))


def parts_of(root: Path) -> list[Path]:
    """The folders train/, val/, test/ of a split."""
    return [folder for folder in subfolders(root) if folder.name.lower() in PARTS]


def find_layout(root: Path, *, words: ClassWords, names: dict[int, str] | None = None) -> Layout | None:
    """Understand a folder; None where it holds nothing that is known. `names` are YOLO's, from a folder above.

    Raises `InputError` for class folders beside others whose names mean no class.
    """
    names = class_names(root) or names or {}
    parts = [
        _in_part(layout, part.name)
        for part in parts_of(root)
        if (layout := find_layout(part, words=words, names=names)) is not None
    ]
    if parts:
        kinds = list(dict.fromkeys(layout.what for layout in parts))
        split = ", ".join(layout.items[0].part for layout in parts)
        return _joined(f"a split ({split}) of {' and '.join(kinds)}", parts)
    images, masks = named_folder(root, IMAGE_FOLDERS), named_folder(root, MASK_FOLDERS)
    if images is not None and images == masks:
        masks = None
    return (
        _class_folders(root, words=words)
        or (images and _in_folders(images, masks, words=words, names=names))
        or _flat(root)
    )


def _class_folders(root: Path, *, words: ClassWords) -> Layout | None:
    classes: list[tuple[Path, Label | None]] = [(folder, words.meaning(folder.name)) for folder in subfolders(root)]
    layouts = [
        _of_class(layout, label, folder.name)
        for folder, label in classes
        if label is not None and (layout := _class_folder(folder)) is not None
    ]
    if not layouts:
        return None
    known = [folder.name for folder, label in classes if label is not None]
    for unknown in folders_with_images(root, besides=[*known, *_spellings(root, (*IMAGE_FOLDERS, *MASK_FOLDERS))]):
        raise InputError(
            f"the folder '{unknown.name}' holds images beside {' and '.join(known)}, and its name is no class",
            remedy=f"say what it means, as in ?labels={unknown.name}:malignant, or move it away",
            path=root,
        )
    return _joined("folders of classes", layouts)


def _class_folder(folder: Path) -> Layout | None:
    images, masks = named_folder(folder, IMAGE_FOLDERS), named_folder(folder, MASK_FOLDERS)
    if images is not None:
        return _of_pairs(paired_folders(images, masks), "")
    if masks is not None:
        return _of_pairs(paired_folders(folder, masks), "")
    return _flat(folder)


def _in_folders(images: Path, masks: Path | None, *, words: ClassWords, names: dict[int, str]) -> Layout | None:
    """Images in a folder of their own, or in folders of parts or classes in it, to which those of masks answer."""
    inner: list[Layout] = []
    for folder in subfolders(images):
        label, part = words.meaning(folder.name), folder.name.lower() in PARTS
        if label is None and not part:
            continue
        layout = _in_folders(folder, _same(masks, folder.name), words=words, names=names)
        if layout is not None:
            inner.append(_in_part(layout, folder.name) if label is None else _of_class(layout, label, folder.name))
    if inner:
        return _joined(inner[0].what, inner)
    pictures = image_or_volume_files(images)
    if not pictures:
        return None
    if masks is not None and not image_or_volume_files(masks) and any(masks.glob("*.txt")):
        return _of_yolo(pictures, masks, words=words, names=names)
    what = "a folder of images" if masks is None else f"folders {images.name}/ and {masks.name}/"
    return _of_pairs(paired_folders(images, masks), what)


def _of_yolo(pictures: Sequence[Path], labels: Path, *, words: ClassWords, names: dict[int, str]) -> Layout:
    items = []
    for picture in pictures:
        text = labels / f"{picture.stem}.txt"
        if not text.is_file():
            items.append(Item(picture))
            continue
        found = read_yolo(text, size=image_size(picture), names=names, words=words)
        items.append(Item(picture, label=found.label, yolo=found, annotation=text))
    return Layout("YOLO annotations", tuple(items))


def _flat(folder: Path) -> Layout | None:
    return _of_pairs(paired_beside(folder), "images in one folder, masks beside them")


def _of_pairs(pairs: Pairs, what: str) -> Layout | None:
    items = tuple(Item(image, masks) for image, masks in pairs.masks.items())
    return Layout(what, items, tuple(pairs.orphans)) if items else None


def _of_class(layout: Layout, label: Label, folder: str) -> Layout:
    return replace(layout, items=tuple(replace(item, label=label, folder=folder) for item in layout.items))


def _in_part(layout: Layout, part: str) -> Layout:
    return replace(layout, items=tuple(replace(item, part=part) for item in layout.items))


def _joined(what: str, layouts: Sequence[Layout]) -> Layout:
    items = tuple(item for layout in layouts for item in layout.items)
    return Layout(what, items, tuple(orphan for layout in layouts for orphan in layout.orphans))


def _same(folder: Path | None, name: str) -> Path | None:
    """The folder of this name inside another, where there is one."""
    return folder / name if folder is not None and (folder / name).is_dir() else folder


def _spellings(root: Path, names: Iterable[str]) -> list[str]:
    return [folder.name for folder in subfolders(root) if folder.name.lower() in names]
