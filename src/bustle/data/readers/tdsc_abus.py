"""TDSC-ABUS 2023: volumes of automated 3D breast ultrasound, as the challenge publishes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.types import Collection, Label
from bustle.data.readers._annotations import Annotations, Origin
from bustle.data.readers._cases import CollectionBuilder
from bustle.data.readers._folders import (
    by_stem,
    data_folder,
    folders_with_images,
    image_or_volume_files,
    no_images,
    subfolder,
)
from bustle.data.readers._lesions import NumberedMask
from bustle.data.sources import ReaderDescription
from bustle.io.tables import Row, cell_text, read_table
from bustle.io.volume import read_header

DESCRIPTION = ReaderDescription(
    title="TDSC-ABUS 2023 (3D)",
    layout="""
DATA/DATA_000.nrrd       volumes
MASK/MASK_000.nrrd       optional: non-zero = lesion
labels.csv               case_id,label,data_path,mask_path; label is M or B
bbx_labels.csv           optional: id,c_x,c_y,c_z,len_x,len_y,len_z in voxels; kept as metadata
""",
    licence="CC BY-NC-ND (registration required)",
    citation=(
        "Luo G, Xu M, Chen H, et al. Tumor detection, segmentation and classification challenge on automated 3D "
        "breast ultrasound: the TDSC-ABUS challenge. arXiv:2501.15588 (2025)"
    ),
    obtain="Register at the challenge's page on grand-challenge.org",
    options={},
)

SPACING_MM = (0.475674, 0.073, 0.2)
"""Voxel size (slice, depth, lateral) as the challenge states it; the published headers say 1 mm along every axis."""

_LABELS: Mapping[str, Label] = {"m": "malignant", "b": "benign"}
_BOX = ("c_x", "c_y", "c_z", "len_x", "len_y", "len_z")


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Cases `tdsc-abus/DATA_000`. Patients are not published: every volume stands for itself.

    Where a header says 1 mm along every axis the challenge's voxel size takes its place.
    Volumes without a row, and rows without a volume, are findings.
    """
    root = data_folder(path, reader="tdsc-abus")
    volumes = by_stem(image_or_volume_files(subfolder(root, "DATA", reader="tdsc-abus")))
    if not volumes:
        raise no_images(root / "DATA", reader="tdsc-abus")
    masks = by_stem(image_or_volume_files(root / "MASK")) if (root / "MASK").is_dir() else {}
    labels_file, boxes_file = root / "labels.csv", root / "bbx_labels.csv"
    labels = _by_number(labels_file, ("case_id", "label"))
    boxes = _by_number(boxes_file, ("id", *_BOX))
    tables = tuple(file for file in (labels_file, boxes_file) if file.is_file())

    builder = CollectionBuilder(name)
    without_row, without_mask = [], []
    for stem, volume in volumes.items():
        number = _number(stem, path=volume)
        row, box = labels.pop(number, None), boxes.pop(number, None)
        mask = masks.pop(f"MASK_{stem.rpartition('_')[2]}", None)
        label = None if row is None else _label(row["label"], path=labels_file)
        if row is None:
            without_row.append(stem)
        if mask is None:
            without_mask.append(stem)
        builder.add(
            stem,
            image=volume,
            annotations=Annotations(lesions=None if mask is None else NumberedMask(mask, label), label=label),
            origin=Origin(metadata={} if box is None else _box(box, path=boxes_file), tables=tables),
            spacing=_stated_spacing(volume),
        )
    if labels_file.is_file():
        builder.note_cases("image-without-row", "volumes are not in labels.csv", without_row)
    else:
        builder.note("missing-table", f"{name}: {root.name} has no labels.csv; its volumes have no class")
    if (root / "MASK").is_dir():
        builder.note_cases("image-without-mask", "volumes have no mask", without_mask)
    builder.note_files("mask-without-image", "masks belong to no volume", list(masks.values()))
    absent = [Path(f"DATA_{number:03d}") for number in labels]
    builder.note_files("row-without-image", "rows of labels.csv have no volume", absent)
    builder.note_unread(folders_with_images(root, besides=("DATA", "MASK")))
    return builder.collection()


def _stated_spacing(volume: Path) -> tuple[float, ...] | None:
    """None where the header holds a spacing of its own, or cannot be read, which loading the case tells."""
    try:
        return SPACING_MM if read_header(volume).spacing == (1.0, 1.0, 1.0) else None
    except InputError:
        return None


def _by_number(table: Path, columns: tuple[str, ...]) -> dict[int, Row]:
    """Rows by the number in the first of `columns`; none where the table is absent."""
    rows: dict[int, Row] = {}
    for row in read_table(table, required=columns, blank_missing=False).rows if table.is_file() else ():
        number = _number(cell_text(row[columns[0]]), path=table)
        if number in rows:
            raise InputError(f"case {number} occurs twice", remedy="remove one of the rows", path=table)
        rows[number] = row
    return rows


def _box(row: Row, *, path: Path) -> dict[str, float]:
    try:
        return {column: float(row[column]) for column in _BOX}
    except ValueError:
        raise InputError(
            f"the box of case {row['id']} is not six numbers", remedy="restore the table from its source", path=path
        ) from None


def _number(text: str, *, path: Path) -> int:
    """The number at the end of `DATA_000`, or of a plain `0`."""
    digits = text.rpartition("_")[2]
    if not digits.isdecimal():
        raise InputError(f"'{text}' ends in no number", remedy="keep the challenge's own names", path=path)
    return int(digits)


def _label(text: str, *, path: Path) -> Label:
    label = _LABELS.get(text.strip().lower())
    if label is None:
        raise InputError(f"unknown label '{text}'", remedy="labels are M and B", path=path)
    return label
