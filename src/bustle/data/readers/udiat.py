"""UDIAT "Dataset B": 163 images, their masks and a table with the type of each lesion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bustle.core.types import Collection, Label
from bustle.data.readers._annotations import Annotations, Origin
from bustle.data.readers._cases import CollectionBuilder
from bustle.data.readers._fields import parse_label
from bustle.data.readers._folders import by_stem, data_folder, folders_with_images, image_files, no_images, subfolder
from bustle.data.readers._lesions import UnitedMasks
from bustle.data.readers._mask_sizes import OTHER_SIZES, other_size_of
from bustle.data.readers._rows import no_row_fits
from bustle.data.sources import ReaderDescription
from bustle.io.tables import Table, cell_text, read_table

DESCRIPTION = ReaderDescription(
    title='UDIAT ("Dataset B")',
    layout="""
original/000001.png
GT/000001.png
DatasetB.xlsx      Image (1, 2, …), Type (Benign, Malignant)
""",
    licence="For research, after a signed agreement with the authors; may not be passed on",
    citation=(
        "Yap MH, Pons G, Martí J, et al. Automated breast ultrasound lesions detection using convolutional neural "
        "networks. IEEE Journal of Biomedical and Health Informatics 22, 1218-1226 (2018). "
        "doi:10.1109/JBHI.2017.2731873"
    ),
    obtain="Ask the authors for the agreement (M. H. Yap, Manchester Metropolitan University)",
    options=OTHER_SIZES,
)

_TABLE = "DatasetB.xlsx"


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Cases `udiat/000001`, labelled by the table, which says 109 benign and 54 malignant (papers print 110 / 53)."""
    root = data_folder(path, reader="udiat")
    images = by_stem(image_files(subfolder(root, "original", reader="udiat")))
    masks = by_stem(image_files(subfolder(root, "GT", reader="udiat")))
    if not images:
        raise no_images(root / "original", reader="udiat")
    table = root / _TABLE
    builder = CollectionBuilder(name, other_size=other_size_of(options))
    labels: dict[str, Label | None] = {}
    if table.is_file():
        content = read_table(table, required=("Image", "Type"))
        labels = _labels(content)
        builder.note_table(content)
        if labels and not any(_number(stem) in labels for stem in images):
            raise no_row_fits(content, column="Image", text=next(iter(labels)), stem=next(iter(images)))
    without_mask, without_row = [], []
    for stem, image in images.items():
        mask = masks.pop(stem, None)
        label = labels.pop(_number(stem), None)
        if mask is None:
            without_mask.append(stem)
        if label is None:
            without_row.append(stem)
        builder.add(
            stem,
            image=image,
            annotations=Annotations(
                lesions=None if mask is None else UnitedMasks((mask,), label),
                label=label,
            ),
            origin=Origin(tables=(table,) if table.is_file() else ()),
        )
    builder.note_cases("image-without-mask", "images have no mask", without_mask)
    builder.note_cases("image-without-row", f"images have no class in {_TABLE}", without_row)
    builder.note_files("mask-without-image", "masks belong to no image", list(masks.values()))
    builder.note_files("row-without-image", f"rows of {_TABLE} have no image", [Path(stem) for stem in labels])
    if not table.is_file():
        builder.note("missing-table", f"{name}: {root.name} has no {_TABLE}; its images have no class")
    builder.note_unread(folders_with_images(root, besides=("original", "GT")))
    return builder.collection()


def _labels(table: Table) -> dict[str, Label | None]:
    return {
        _number(Path(cell_text(row["Image"])).stem): parse_label(row["Type"], path=table.path) for row in table.rows
    }


def _number(text: str) -> str:
    """The table counts 1, 2, …, the files 000001, 000002, …."""
    return text.lstrip("0")
