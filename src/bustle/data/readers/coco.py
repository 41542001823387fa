"""COCO JSON: images with lesion outlines, boxes and classes, as most annotation tools export them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError, unknown_name
from bustle.core.files import read_json
from bustle.core.paths import is_file
from bustle.core.types import Box, Collection, Label
from bustle.data.readers._annotations import Annotations, Origin
from bustle.data.readers._cases import CollectionBuilder
from bustle.data.readers._class_words import OPTION, ClassWords
from bustle.data.readers._fields import parse_id
from bustle.data.readers._folders import named
from bustle.data.readers._lesions import Lesions, LesionSource, UnitedMasks, paint_instances
from bustle.data.readers._mask_sizes import OtherSize
from bustle.data.readers._outlines import mask_from_segmentation
from bustle.data.sources import ReaderDescription
from bustle.io.raster import image_size

DESCRIPTION = ReaderDescription(
    title="COCO JSON (the format of Lin TY et al. Microsoft COCO. ECCV 2014)",
    layout="""
annotations.json   images (file_name, width, height), annotations (bbox, segmentation), categories
<file_name>        the images, beside the JSON file or in the folder of images=
""",
    licence="Your data's own",
    citation="",
    obtain="Export from an annotation tool (CVAT, Label Studio, Roboflow, …)",
    options={
        "crowds": "`lesions`: annotations with iscrowd count as lesions; default: they are left out, with a finding",
        "empty": "`normal`: an image without annotations shows no lesion; default: it counts as not annotated",
        "images": "the folder of the images, relative to the JSON file's folder; default: that folder itself",
        "labels": OPTION,
        "patient": "the key of an entry of images that says whom it shows, such as `patient=patient_id`",
    },
)

SHORTCOMINGS = {
    "image-without-mask": "images have no annotation",
    "crowd": "images have annotations of crowds (iscrowd), which are left out, in",
    "lesion-without-outline": "images have a lesion with a box but no outline",
}
"""What an image's annotations may lack, by the kind of the finding."""


@dataclass(frozen=True)
class Outlines:
    """The segmentations of one image's lesions, already in memory."""

    file: Path
    segmentations: tuple[Any, ...]
    labels: tuple[Label | None, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        return ()

    def read(self, size: tuple[int, ...], *, other: OtherSize = "refuse") -> Lesions:
        """Outlines are in the image's own pixels, whatever becomes of masks of another size."""
        height, width = size
        try:
            masks = [
                mask_from_segmentation(segmentation, size=(height, width)) for segmentation in self.segmentations
            ]
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"a segmentation cannot be read ({error})", remedy="export the annotations again", path=self.file
            ) from error
        instances, kept = paint_instances(masks, size=size)
        return instances, tuple(self.labels[index] for index in kept)


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Cases `coco/<stem of file_name>`; every annotation is a lesion.

    A category that means benign or malignant is the lesion's class, one that means normal says that there is none;
    other names leave the class open. A case is malignant if any of its lesions is. Images without annotations count
    as not annotated, unless `empty=normal`.
    """
    file = _json_file(path)
    return read_annotations(
        file,
        name=name,
        folder=file.parent / options.get("images", ""),
        words=ClassWords.of_option(options.get("labels", "")),
        crowds_count=options.get("crowds") == "lesions",
        empty_label=_empty_label(options.get("empty", "")),
        patient_key=options.get("patient"),
    )


def _empty_label(word: str) -> Label | None:
    if word not in ("", "normal"):
        raise InputError(f"empty={word} is not known", remedy="write empty=normal, or leave it out")
    return "normal" if word else None


def read_annotations(
    file: Path,
    *,
    name: str,
    folder: Path,
    words: ClassWords,
    crowds_count: bool = False,
    empty_label: Label | None = None,
    patient_key: str | None = None,
) -> Collection:
    """As `read`, of images in `folder`; annotations of crowds are left out unless they count as lesions.

    `empty_label` is the class of an image without annotations, None where they are absent; `patient_key` the key of
    an image's patient.
    """
    content = read_json(file)
    items = {kind: _items(content, kind, file=file) for kind in ("images", "annotations", "categories")}
    categories: dict[int | str, Label | None] = {
        _id(entry, "id", where, file=file): words.meaning(_text(entry, "name", where, file=file))
        for where, entry in items["categories"].items()
    }
    annotations: dict[Any, list[tuple[Label | None, dict[str, Any]]]] = defaultdict(list)
    crowds: set[Any] = set()
    for where, entry in items["annotations"].items():
        category = _id(entry, "category_id", where, file=file)
        if category not in categories:
            raise InputError(
                f"an annotation has the category {category}, which is not in categories",
                remedy="export the annotations again",
                path=file,
            )
        _check_box(entry, where, file=file)
        image_id = _id(entry, "image_id", where, file=file)
        if entry.get("iscrowd") in (1, True) and not crowds_count:
            crowds.add(image_id)
        else:
            annotations[image_id].append((categories[category], entry))
    images = [
        (_id(entry, "id", where, file=file), _text(entry, "file_name", where, file=file), entry)
        for where, entry in items["images"].items()
    ]
    if patient_key is not None and not any(patient_key in entry for _, _, entry in images):
        keys = sorted({key for _, _, entry in images for key in entry})
        raise unknown_name("key of images", patient_key, keys, path=file)
    patients = {image_id: _patient(entry, patient_key, file=file) for image_id, _, entry in images}
    return _collection(
        name, file, folder, images, annotations, crowds=crowds, empty_label=empty_label, patients=patients
    )


def _patient(entry: Mapping[str, Any], key: str | None, *, file: Path) -> str | None:
    if key is None or entry.get(key) is None:
        return None
    return parse_id(_id(entry, key, f"image {entry['id']}", file=file))


def _items(content: Any, kind: str, *, file: Path) -> dict[str, dict[str, Any]]:
    """The entries of a list by where they stand, for messages."""
    entries = content.get(kind) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise InputError(
            f"is not a COCO annotation file ('{kind}')",
            remedy="it needs images, annotations and categories",
            path=file,
        )
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise InputError(f"{kind}[{number}] is no object", remedy="export the annotations again", path=file)
    return {f"{kind}[{number}]": entry for number, entry in enumerate(entries)}


def _id(entry: Mapping[str, Any], key: str, where: str, *, file: Path) -> int | str:
    value = entry.get(key)
    if not isinstance(value, int | str) or isinstance(value, bool):
        raise _wrong(where, key, value, "a whole number or text", file=file)
    return value


def _text(entry: Mapping[str, Any], key: str, where: str, *, file: Path) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _wrong(where, key, value, "text", file=file)
    return value


def _check_box(entry: Mapping[str, Any], where: str, *, file: Path) -> None:
    """A box that starts outside by more than rounding, or has a negative size, is a mistake of its tool."""
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(number, int | float) for number in box):
        return  # absent, or told where the boxes are read
    if min(box[:2]) < -1 or min(box[2:]) < 0 or max(box) > 1e9:
        raise _wrong(where, "bbox", box, "[x, y, width, height] inside the image", file=file)


def _wrong(where: str, key: str, value: Any, expected: str, *, file: Path) -> InputError:
    if value is None:
        return InputError(
            f"is not a COCO annotation file ({where} has no '{key}')",
            remedy="it needs images, annotations and categories",
            path=file,
        )
    return InputError(
        f"{where} has the {key} {str(value)[:60]}, which is not {expected}",
        remedy="export the annotations again",
        path=file,
    )


def _collection(
    name: str,
    file: Path,
    folder: Path,
    images: Sequence[tuple[Any, str, dict[str, Any]]],
    annotations: Mapping[Any, list[tuple[Label | None, dict[str, Any]]]],
    *,
    crowds: Set[Any],
    empty_label: Label | None,
    patients: Mapping[Any, str | None],
) -> Collection:
    builder = CollectionBuilder(name)
    absent: list[Path] = []
    shortcomings: dict[str, list[str]] = {code: [] for code in SHORTCOMINGS}
    for image_id, file_name, entry in images:
        image = folder / file_name
        if not is_file(image):
            absent.append(Path(file_name))
            continue
        crowd = image_id in crowds
        found = annotations.get(image_id, [])
        told = _annotations(found, file=file, empty_label=None if crowd else empty_label)
        if crowd:
            shortcomings["crowd"].append(image.stem)
        if told.lesions is None:
            shortcomings["lesion-without-outline" if found else "image-without-mask"].append(image.stem)
        builder.add(
            image.stem, image=image, annotations=told, origin=Origin(patient_id=patients[image_id], tables=(file,))
        )
        _check_size(builder, image, entry)
    known = {image_id for image_id, _, _ in images}
    strays = sorted(str(image_id) for image_id in annotations if image_id not in known)
    builder.note_files("row-without-image", "images of the JSON file do not exist", absent)
    builder.note_files("mask-without-image", "image ids of annotations are not in images", [Path(s) for s in strays])
    for code, message in SHORTCOMINGS.items():
        builder.note_cases(code, message, shortcomings[code])
    collection = builder.collection()
    if not collection.cases:
        what = f"none of its images exist in {folder} ({named(absent, shown=1)})" if images else "lists no images"
        raise InputError(what, remedy="give their folder with ?images=FOLDER", path=file)
    return collection


def _annotations(
    found: Sequence[tuple[Label | None, dict[str, Any]]], *, file: Path, empty_label: Label | None
) -> Annotations:
    """What the annotations of one image say; without any it has the `empty_label`, and then no lesion."""
    if not found and empty_label is not None:
        return Annotations(lesions=UnitedMasks((), empty_label), label=empty_label, boxes=None)
    return Annotations(
        lesions=_lesions(found, file),
        label=_case_label([label for label, _ in found]),
        boxes=_boxes(found, file),
    )


def _json_file(path: Path | None) -> Path:
    if path is None:
        raise InputError("the reader coco needs a file", remedy="write coco:ANNOTATIONS.json?images=FOLDER")
    if path.is_dir():
        raise InputError("is a folder", remedy="give the annotation file itself, a .json", path=path)
    return path


def _case_label(labels: Sequence[Label | None]) -> Label | None:
    if "malignant" in labels:
        return "malignant"
    if None in labels or not labels:
        return None
    return "benign" if "benign" in labels else "normal"


def _lesions(found: Sequence[tuple[Label | None, dict[str, Any]]], file: Path) -> LesionSource | None:
    """None where nothing, or not every lesion, is outlined: half a mask would teach that the rest is background."""
    shown = [annotation for annotation in found if annotation[0] != "normal"]
    segmentations = tuple(entry.get("segmentation") for _, entry in shown)
    if not found or not all(segmentations):
        return None
    return Outlines(file, segmentations, tuple(label for label, _ in shown))


def _boxes(found: Sequence[tuple[Label | None, dict[str, Any]]], file: Path) -> tuple[Box, ...] | None:
    """COCO's [x, y, width, height], widened to whole pixels; None where a lesion has no box, or one without area."""
    corners = [entry.get("bbox") for label, entry in found if label != "normal"]
    if not corners or not all(corners):
        return None
    boxes = []
    for corner in corners:
        try:
            x, y, width, height = map(float, corner)  # type: ignore[arg-type]
            if not (width > 0 and height > 0):
                return None
            box = Box(math.floor(y), math.floor(x), math.ceil(y + height), math.ceil(x + width))
        except (TypeError, ValueError, OverflowError):
            raise InputError(
                f"the bbox {corner} is not [x, y, width, height]", remedy="export the annotations again", path=file
            ) from None
        boxes.append(box)
    return tuple(boxes)


def _check_size(builder: CollectionBuilder, image: Path, entry: Mapping[str, Any]) -> None:
    try:
        height, width = image_size(image)
    except InputError:
        return  # loading the case says what is wrong with the file
    declared = (entry.get("width", width), entry.get("height", height))
    if declared != (width, height):
        builder.note(
            "size-mismatch",
            f"the JSON file gives {declared[0]} x {declared[1]} pixels for {image.name}, the image has "
            f"{width} x {height}; its outlines may be misplaced",
            stems=[image.stem],
        )
