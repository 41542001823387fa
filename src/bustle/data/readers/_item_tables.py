"""Tables about images whose columns bear the names that people choose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bustle.core.errors import InputError
from bustle.io.names import NameIndex
from bustle.io.tables import TABLE_SUFFIXES, Row, Table, cell_text, read_table

_SYNONYMS = {
    "image": (
        *("image", "images", "filename", "file", "imagefilename", "imagename", "imagepath", "imagefile", "img"),
        *("path", "filepath", "caseid", "imageid", "id", "name"),
    ),
    "mask": ("mask", "masks", "maskpath", "maskfilename", "maskname", "maskfile", "segmentation", "seg", "gt"),
    "label": ("label", "labels", "class", "diagnosis", "pathology", "classification", "category", "type", "target"),
    "patient_id": ("patientid", "patient", "pid", "subject", "subjectid"),
    "spacing_mm": ("spacingmm", "spacing", "pixelspacing", "pixelspacingmm", "pixelsizemm"),
}


@dataclass(frozen=True)
class ItemTable:
    """A table and `columns`, which of them says what: `image`, `mask`, `label`, `patient_id` or `spacing_mm`.

    `rival_classes` are columns that could each be the class, and differ.
    """

    table: Table
    columns: dict[str, str]
    rival_classes: tuple[str, ...] = ()

    def checked(self) -> ItemTable:
        """Itself; raises `InputError` where several columns could be the class."""
        if self.rival_classes:
            raise InputError(
                f"has several columns that could be the class: {', '.join(self.rival_classes)}",
                remedy="keep one of them, or rename the others",
                path=self.table.path,
            )
        return self

    def cell(self, row: Row, what: str) -> str:
        """'' also where no column says it."""
        return cell_text(row[self.columns[what]]) if what in self.columns else ""

    def fits(self, stems: Sequence[str]) -> bool:
        """Whether a row names one of the images."""
        index = NameIndex(stems)
        return any(index.find(self.cell(row, "image")) for row in self.table.rows)


def tables_in(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in TABLE_SUFFIXES and not file.name.startswith((".", "~"))
    )


def read_item_table(path: Path) -> ItemTable | None:
    """None for a table without a column that could name images."""
    table = read_table(path, optional=None)
    found = {what: _columns(table, what) for what in _SYNONYMS}
    columns = {what: names[0] for what, names in found.items() if names}
    if "image" not in columns:
        return None
    missing = {column: count for column, count in table.missing.items() if column in columns.values()}
    classes = found["label"]
    return ItemTable(
        replace(table, missing=missing), columns, rival_classes=() if _same(table, classes) else tuple(classes)
    )


def _columns(table: Table, what: str) -> list[str]:
    names = _SYNONYMS[what]
    return [column for name in names for column in table.columns if re.sub(r"[\W_]+", "", column).lower() == name]


def _same(table: Table, columns: Sequence[str]) -> bool:
    return all(len({cell_text(row[column]) for column in columns}) <= 1 for row in table.rows)
