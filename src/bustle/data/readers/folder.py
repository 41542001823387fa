"""Any data set as folders of images and masks with the same names: the form to convert one's own data to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bustle.core.types import Collection, Label
from bustle.data.phantom.claimed_set import check_finished
from bustle.data.readers._annotations import Annotations, Origin
from bustle.data.readers._cases import CollectionBuilder
from bustle.data.readers._fields import parse_id, parse_label, parse_spacing
from bustle.data.readers._folders import (
    by_stem,
    data_folder,
    folders_with_images,
    image_or_volume_files,
    no_images,
    subfolder,
)
from bustle.data.readers._lesions import LesionSource, NumberedMask, UnitedMasks
from bustle.data.readers._mask_sizes import OTHER_SIZES, other_size_of
from bustle.data.readers._rows import rows_of_stems
from bustle.data.sources import ReaderDescription
from bustle.io.tables import read_table, table_named
from bustle.io.volume import is_volume

DESCRIPTION = ReaderDescription(
    title="Folders of images or volumes and their masks",
    layout="""
images/<stem>.png        any image format that is read; volumes: NRRD, NIfTI or MHA, which hold their own spacing
masks/<stem>.png         optional: 0 = background, 255 = lesion, or 1..n = the lesions by number
gland/<stem>.png         optional: non-zero = glandular tissue
labels.csv               optional (or .tsv, .xlsx, .parquet): case_id,label[,patient_id,spacing_mm], case_id = <stem>
""",
    licence="Your data's own",
    citation="",
    obtain="Your own data, or `bustle data phantom`, which writes this layout",
    options=OTHER_SIZES,
)

LABELS = "labels"
"""The name without ending of the table about the images."""


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Cases `folder/<stem>`. Masks, classes and everything else may be absent; a `normal` case needs no mask file.

    Where masks/ or labels.csv exist, the images that they lack are a finding. Raises `InputError` for a phantom set
    that was not finished.
    """
    root = data_folder(path, reader="folder")
    images = by_stem(image_or_volume_files(subfolder(root, "images", reader="folder")))
    if not images:
        raise no_images(root / "images", reader="folder")
    unfinished = check_finished(root, images=len(images))
    masks, glands = _optional(root / "masks"), _optional(root / "gland")
    table = table_named(root, LABELS)
    builder = CollectionBuilder(name, other_size=other_size_of(options))
    content, rows, surplus = None, {}, []
    if table is not None:
        content = read_table(table, required=("case_id", "label"), optional=("patient_id", "spacing_mm"))
        rows, surplus = rows_of_stems(content, column="case_id", stems=images)
        builder.note_table(content)
    without_mask, without_row = [], []
    for stem, image in images.items():
        row = rows.get(stem)
        mask = masks.pop(stem, None)
        label, spacing = None, None
        if content is not None and row is not None:
            with content.telling_line_of(row):
                label = parse_label(row["label"], path=table)
                spacing = None if is_volume(image) else parse_spacing(row.get("spacing_mm", ""), path=table)
        lesions = lesions_of_file(mask, label)
        if lesions is None:
            without_mask.append(stem)
        if row is None:
            without_row.append(stem)
        cells = row or {}
        builder.add(
            stem,
            image=image,
            annotations=Annotations(lesions=lesions, label=label, gland_mask=glands.pop(stem, None)),
            origin=Origin(
                patient_id=parse_id(cells.get("patient_id", "")),
                metadata={key: value for key, value in cells.items() if key not in _KNOWN_COLUMNS},
                tables=() if table is None else (table,),
            ),
            spacing=spacing,
        )
    if unfinished is not None:
        builder.note("unfinished-set", unfinished)
    if (root / "masks").is_dir():
        builder.note_cases("image-without-mask", "images have no mask", without_mask)
    builder.note_files("mask-without-image", "masks belong to no image", [*masks.values(), *glands.values()])
    if table is not None:
        builder.note_cases("image-without-row", f"images are not in {table.name}", without_row)
        builder.note_files(
            "row-without-image", f"rows of {table.name} have no image", [Path(stem) for stem in surplus]
        )
    builder.note_unread(folders_with_images(root, besides=("images", "masks", "gland")))
    return builder.collection()


_KNOWN_COLUMNS = frozenset({"case_id", "label", "patient_id", "spacing_mm"})


def lesions_of_file(mask: Path | None, label: Label | None) -> LesionSource | None:
    """A mask file, or the empty mask that a normal case has without one; None where nothing is annotated."""
    if mask is not None:
        return NumberedMask(mask, label)
    return UnitedMasks((), label) if label == "normal" else None


def _optional(folder: Path) -> dict[str, Path]:
    return by_stem(image_or_volume_files(folder)) if folder.is_dir() else {}
