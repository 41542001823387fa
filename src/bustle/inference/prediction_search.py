"""Where the predictions of cases lie below a directory, and the table of class probabilities beside them.

The names are those of `prediction_files`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bustle.core.errors import InputError
from bustle.inference.prediction_files import (
    MAP_SUFFIXES,
    MASK,
    PROBABILITIES,
    RECORD,
    existing_map,
    map_files,
    prediction_folder,
)
from bustle.io.names import NameIndex, existing
from bustle.io.tables import cell_text, read_table, table_named


def find_predictions(directory: Path, *, case_ids: Sequence[str]) -> dict[str, Path]:
    """Which of the cases have a prediction below `directory`, and where (a folder, or another tool's file).

    A file that bears only the stem counts for the case with that stem. Raises `InputError` for a directory that
    does not exist, and where one such file could belong to several of the cases.
    """
    if not directory.is_dir():
        raise InputError("is not a folder", remedy="give the folder that holds the predictions", path=directory)
    found: dict[str, Path] = {}
    owner: dict[Path, str] = {}
    for case_id in case_ids:
        path = _find(directory, case_id)
        if path is None:
            continue
        if path in owner:
            raise InputError(
                f"could belong to '{owner[path]}' or to '{case_id}'",
                remedy=f"name the predictions by case id, as in {directory.name}/{case_id}/{MASK}",
                path=path,
            )
        found[case_id] = path
        owner[path] = case_id
    return found


def predictions_below(directory: Path) -> set[Path]:
    """Everything below a directory that could be a prediction: folders of cases, and files that bear a stem."""
    names = [RECORD, *(path.name for path in map_files(directory, MASK))]
    folders = {file.parent for name in names for depth in ("*", "*/*") for file in directory.glob(f"{depth}/{name}")}
    files = [file for suffix in MAP_SUFFIXES for file in directory.glob(f"*{suffix}")]
    return folders | {file for file in files if file.parent not in folders}


def _find(directory: Path, case_id: str) -> Path | None:
    for name in dict.fromkeys((case_id, case_id.split("/")[-1])):
        own = prediction_folder(directory, name)
        for wanted in dict.fromkeys((own, directory / name)):  # other tools may keep a name that is not portable
            folder = existing(wanted) or wanted
            if (folder / RECORD).exists() or existing_map(folder, MASK) is not None:
                return folder
            for suffix in MAP_SUFFIXES:
                picture = existing(folder.with_name(folder.name + suffix))
                if picture is not None:
                    return picture
    return None


class ClassTable(NamedTuple):
    """Class probabilities by case id, the names in the table that belong to none of the cases, and its file."""

    probabilities: dict[str, dict[str, float]]
    surplus: tuple[str, ...]
    path: Path | None


def read_class_table(directory: Path, *, case_ids: Sequence[str]) -> ClassTable:
    """Class probabilities from `DIR/probabilities.csv` (or .tsv, .xlsx) of another tool; empty where there is none.

    Its columns are `case_id` (or the stem, or the file's name) and one per class. Raises `InputError` for missing
    columns, for values outside of 0..1, for a row that fits several cases or one again, and where no row fits a case.
    """
    path = table_named(directory, Path(PROBABILITIES).stem)
    if path is None:
        return ClassTable({}, (), None)
    table = read_table(path, optional=("case_id",), blank_missing=False)
    classes = [column for column in table.columns if column != "case_id"]
    if "case_id" not in table.columns or not classes:
        raise InputError("lacks columns", remedy="it needs case_id and one column per class", path=path)
    index = NameIndex(case_ids)
    result: dict[str, dict[str, float]] = {}
    surplus = []
    for line, row in zip(table.lines, table.rows, strict=True):
        name = cell_text(row["case_id"])
        matches = index.find(name)
        if len(matches) > 1:
            raise InputError(f"'{name}' in line {line} fits several cases", remedy="use full case ids", path=path)
        if not matches:
            surplus.append(name)
            continue
        (case_id,) = matches
        if case_id in result:
            raise InputError(f"'{case_id}' occurs again in line {line}", remedy="keep one row", path=path)
        result[case_id] = {label.lower(): _probability(row[label], path=path, line=line) for label in classes}
    if surplus and not result:
        raise InputError(
            f"{table.doubt}none of its {len(surplus)} rows belongs to a case (such as '{surplus[0]}')",
            remedy=f"write case ids or stems into case_id, such as '{case_ids[0]}'",
            path=path,
        )
    return ClassTable(result, tuple(surplus), path)


def _probability(cell: Any, *, path: Path, line: int) -> float:
    try:
        value = float(str(cell).replace(",", "."))
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise InputError(f"'{cell}' in line {line} is not a probability", remedy="write a number 0..1", path=path)
    return value
