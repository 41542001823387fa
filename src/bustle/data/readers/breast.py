"""BrEaST: 256 patients with lesion masks, further structures and a clinical table."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError
from bustle.core.types import Collection
from bustle.data.readers._annotations import Annotations, Origin
from bustle.data.readers._cases import CollectionBuilder
from bustle.data.readers._fields import parse_label, parse_spacing
from bustle.data.readers._folders import by_stem, data_folder, image_files, no_images
from bustle.data.readers._lesions import UnitedMasks
from bustle.data.readers._mask_sizes import OTHER_SIZES, other_size_of
from bustle.data.readers._rows import rows_of_stems
from bustle.data.sources import ReaderDescription
from bustle.io.names import normal_form
from bustle.io.tables import Row, read_table

DESCRIPTION = ReaderDescription(
    title="BrEaST (Breast-Lesions-USG)",
    layout="""
BrEaST-Lesions_USG-images_and_masks/
  case001.png
  case001_tumor.png       none for a normal breast
  case001_other1.png      another structure, kept under its name
…clinical-data….xlsx      CaseID, Image_filename, Pixel_size (cm), BIRADS, Classification, …
""",
    licence="CC BY 4.0",
    citation=(
        "Pawłowska A, Ćwierz-Pieńkowska A, Domalik A, et al. Curated benchmark dataset for ultrasound based breast "
        "lesion analysis. Scientific Data 11, 148 (2024). doi:10.1038/s41597-024-02984-z"
    ),
    obtain="The Cancer Imaging Archive, collection Breast-Lesions-USG, doi:10.7937/9WKK-Q141",
    options=OTHER_SIZES,
)

_IMAGE_FOLDER = "BrEaST-Lesions_USG-images_and_masks"
_MASK_STEM = re.compile(r"(?P<image>.+?)_(?P<structure>tumor\d*|other\d*)")
_OWN_FIELDS = frozenset(
    {"CaseID", "Image_filename", "Mask_tumor_filename", "Mask_other_filename", "Pixel_size", "Classification"}
)
_ABSENT = frozenset({"", "not available", "not applicable"})


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Cases `breast/case001`, one per patient; the pixel size becomes the spacing in mm.

    A normal case has an empty lesion mask. Rows of the table whose image is not on disk are one finding.
    """
    root = data_folder(path, reader="breast")
    folder = root / _IMAGE_FOLDER if (root / _IMAGE_FOLDER).is_dir() else root
    images, masks = _files(folder)
    if not images:
        raise no_images(folder, reader="breast")
    table = _clinical_table(root)
    content = read_table(table, required=("Image_filename", "Pixel_size", "Classification"))
    rows, surplus = rows_of_stems(content, column="Image_filename", stems=images)
    builder = CollectionBuilder(name, other_size=other_size_of(options))
    builder.note_table(content)
    without_mask, without_row = [], []
    for stem, image in images.items():
        structures = masks.pop(stem, {})
        row = rows.get(stem)
        label = None if row is None else parse_label(row["Classification"], path=table)
        tumours = tuple(file for structure, file in structures.items() if structure.startswith("tumor"))
        if row is None:
            without_row.append(stem)
        if not tumours and label != "normal":
            without_mask.append(stem)
        builder.add(
            stem,
            image=image,
            annotations=Annotations(
                lesions=UnitedMasks(tumours, label) if tumours or label == "normal" else None,
                label=label,
                other_masks={key: file for key, file in structures.items() if key.startswith("other")},
            ),
            origin=Origin(patient_id=stem, metadata={} if row is None else _metadata(row), tables=(table,)),
            spacing=None if row is None else _spacing(row, table),
        )
    builder.note_cases("image-without-mask", "images have no lesion mask and are not normal", without_mask)
    builder.note_cases("image-without-row", f"images are not in {table.name}", without_row)
    orphans = [file for files in masks.values() for file in files.values()]
    builder.note_files("mask-without-image", "masks belong to no image", orphans)
    builder.note_files("row-without-image", f"rows of {table.name} have no image", [Path(stem) for stem in surplus])
    return builder.collection()


def _files(folder: Path) -> tuple[dict[str, Path], dict[str, dict[str, Path]]]:
    """Images by stem, and masks by the image's stem and the structure's name."""
    images: list[Path] = []
    masks: dict[str, dict[str, Path]] = defaultdict(dict)
    for file in image_files(folder):
        match = _MASK_STEM.fullmatch(file.stem)
        if match:
            masks[normal_form(match["image"])][match["structure"]] = file
        else:
            images.append(file)
    return by_stem(images), masks


def _clinical_table(root: Path) -> Path:
    for folder in (root, root.parent):
        tables = sorted(p for p in folder.glob("*clinical*.xlsx") if not p.name.startswith(("~", ".")))
        if tables:
            return tables[0]
    raise InputError(
        "has no clinical table (*clinical-data*.xlsx)", remedy="put it beside the folder of the images", path=root
    )


def _spacing(row: Row, table: Path) -> tuple[float, float] | None:
    centimetres = row["Pixel_size"]
    if str(centimetres) in _ABSENT:
        return None
    try:
        millimetres = float(centimetres) * 10
    except ValueError:
        millimetres = centimetres
    return parse_spacing(millimetres, path=table)


def _metadata(row: Row) -> dict[str, Any]:
    """The clinical columns by their name in lower case; BI-RADS as text ("4b"), absent values as None."""
    values = {key.lower(): value for key, value in row.items() if key not in _OWN_FIELDS}
    values |= {"birads": str(values["birads"])} if "birads" in values else {}
    return {key: None if str(value) in _ABSENT else value for key, value in values.items()}
