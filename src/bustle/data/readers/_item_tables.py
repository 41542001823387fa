"""Tables about images whose columns bear the names that people choose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
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
    """A table and `columns`, which of them says what: `image`, `mask`, `label`, `patient_id` or `spacing_mm`."""

    table: Table
    columns: dict[str, str]

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
    """None for a table without a column that could name images; two columns that say one thing raise `InputError`."""
    table = read_table(path)
    columns = {what: column for what in _SYNONYMS if (column := _column(table, what)) is not None}
    table = read_table(path, optional=tuple(columns.values()))  # whose missing values count
    return ItemTable(table, columns) if "image" in columns else None


def _column(table: Table, what: str) -> str | None:
    names = _SYNONYMS[what]
    found = [column for name in names for column in table.columns if re.sub(r"[\W_]+", "", column).lower() == name]
    if what == "label" and len(found) > 1 and not _same(table, found):
        raise InputError(
            f"has several columns that could be the class: {', '.join(found)}",
            remedy="keep one of them, or rename the others",
            path=table.path,
        )
    return found[0] if found else None


def _same(table: Table, columns: Sequence[str]) -> bool:
    return all(len({cell_text(row[column]) for column in columns}) == 1 for row in table.rows)
