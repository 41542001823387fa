"""BUS-BRA: images, masks and a table with patient, BI-RADS category, histology, device and lesion box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bustle.core.errors import InputError, unknown_name
from bustle.core.types import Box, Collection
from bustle.data.readers._annotations import Annotations, Origin
from bustle.data.readers._cases import CollectionBuilder
from bustle.data.readers._fields import parse_id, parse_label
from bustle.data.readers._folders import by_stem, data_folder, folders_with_images, image_files, no_images, subfolder
from bustle.data.readers._lesions import UnitedMasks
from bustle.data.readers._mask_sizes import OTHER_SIZES, other_size_of
from bustle.data.readers._rows import rows_of_stems
from bustle.data.sources import ReaderDescription
from bustle.io.raster import image_size
from bustle.io.tables import Row, read_table

DESCRIPTION = ReaderDescription(
    title="BUS-BRA (Brazilian breast ultrasound with BI-RADS categories)",
    layout="""
Images/bus_0001-l.png
Masks/mask_0001-l.png
bus_data.csv       ID, Case, Histology, Pathology, BIRADS, Device, Width, Height, Side, BBOX
5-fold-cv.csv      ID, kFold, …   (needed for folds=official)
10-fold-cv.csv     ID, kFold, …   (needed for folds=official10)
""",
    licence="The LICENSE.txt that comes with the data set (CC BY 4.0 on its Zenodo page)",
    citation=(
        "Gómez-Flores W, Gregorio-Calas MJ, Coelho de Albuquerque Pereira W. BUS-BRA: A breast ultrasound dataset "
        "for assessing computer-aided diagnosis systems. Medical Physics 51, 3110-3123 (2024). doi:10.1002/mp.16812"
    ),
    obtain="Zenodo, doi:10.5281/zenodo.8231412",
    options={"folds": "`official` or `official10`: the publishers' 5 or 10 folds, by patient", **OTHER_SIZES},
)

_FOLD_TABLES = {"official": "5-fold-cv.csv", "official10": "10-fold-cv.csv"}
_COLUMNS = ("ID", "Case", "Histology", "Pathology", "BIRADS", "Device", "Width", "Height", "Side", "BBOX")


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Cases `bus-bra/bus_0001-l`; the patient is the table's Case. A wrong Width or Height there is a finding."""
    root = data_folder(path, reader="bus-bra")
    images = by_stem(image_files(subfolder(root, "Images", reader="bus-bra")))
    masks = by_stem(image_files(subfolder(root, "Masks", reader="bus-bra")))
    if not images:
        raise no_images(root / "Images", reader="bus-bra")
    table = root / "bus_data.csv"
    content = read_table(table, required=_COLUMNS)
    rows, surplus = rows_of_stems(content, column="ID", stems=images)
    folds = _official_folds(root, options["folds"], stems=list(images)) if "folds" in options else {}

    builder = CollectionBuilder(name, other_size=other_size_of(options))
    builder.note_table(content)
    without_mask, without_row = [], []
    for stem, image in images.items():
        mask = masks.pop(stem.replace("bus_", "mask_", 1), None)
        row = rows.get(stem)
        label = None if row is None else parse_label(row["Pathology"], path=table)
        if mask is None:
            without_mask.append(stem)
        if row is None:
            without_row.append(stem)
        else:
            _check_size(builder, stem, image, row)
        builder.add(
            stem,
            image=image,
            annotations=Annotations(
                lesions=None if mask is None else UnitedMasks((mask,), label),
                label=label,
                boxes=None if row is None else _boxes(row, table),
            ),
            origin=Origin(
                patient_id=None if row is None else parse_id(row["Case"]),
                official_fold=folds.get(stem),
                metadata={} if row is None else _metadata(row),
                tables=(table,),
            ),
        )
    builder.note_cases("image-without-mask", "images have no mask", without_mask)
    builder.note_cases("image-without-row", f"images are not in {table.name}", without_row)
    builder.note_files("mask-without-image", "masks belong to no image", list(masks.values()))
    builder.note_files("row-without-image", f"rows of {table.name} have no image", [Path(stem) for stem in surplus])
    if folds:
        outside = [stem for stem in images if stem not in folds]
        builder.note_cases("image-without-fold", "images have no official fold", outside)
    builder.note_unread(folders_with_images(root, besides=("Images", "Masks")))
    return builder.collection()


def _official_folds(root: Path, option: str, *, stems: Sequence[str]) -> dict[str, int]:
    if option not in _FOLD_TABLES:
        raise unknown_name("folds", option, _FOLD_TABLES)
    table = root / _FOLD_TABLES[option]
    folds = {}
    content = read_table(table, required=("ID", "kFold"), blank_missing=False)
    for stem, row in rows_of_stems(content, column="ID", stems=stems)[0].items():
        if not str(row["kFold"]).isdecimal() or int(row["kFold"]) < 1:
            raise InputError(
                f"the kFold of {row['ID']} is '{row['kFold']}'",
                remedy="it must be 1, 2, …; restore the file",
                path=table,
            )
        folds[stem] = int(row["kFold"]) - 1
    return folds


def _check_size(builder: CollectionBuilder, stem: str, image: Path, row: Row) -> None:
    try:
        height, width = image_size(image)
    except InputError:
        return  # loading the case says what is wrong with the file
    if (str(row["Width"]), str(row["Height"])) != (str(width), str(height)):
        builder.note(
            "size-mismatch",
            f"bus_data.csv gives {row['Width']} x {row['Height']} pixels for {stem}, the image has {width} x {height}"
            "; the image is used as it is",
            stems=[stem],
        )


def _boxes(row: Row, table: Path) -> tuple[Box, ...] | None:
    """BBOX is [x, y, x span, y span] of the outermost lesion pixels, from 1: a span is one short of a width."""
    text = str(row["BBOX"])
    if not text:
        return None
    try:
        x, y, x_span, y_span = (int(number) for number in text.strip("[] ").split(","))
    except ValueError:
        raise InputError(
            f"the BBOX of {row['ID']} is '{text}'",
            remedy="it must be [x,y,width,height]; restore the file",
            path=table,
        ) from None
    return (Box(y - 1, x - 1, y + y_span, x + x_span),)


def _metadata(row: Row) -> dict[str, str]:
    columns = {"birads": "BIRADS", "histology": "Histology", "device": "Device", "side": "Side"}
    return {key: str(row[column]) for key, column in columns.items()}
