"""Where the predictions of cases lie below a directory, and the table of class probabilities beside them.

The names are those of `prediction_files`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.files import check_regular
from bustle.inference.prediction_files import (
    MAP_SUFFIXES,
    MASK,
    PROBABILITIES,
    RECORD,
    existing_map,
    map_files,
    prediction_folder,
)


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
        for folder in dict.fromkeys((own, directory / name)):  # other tools may keep a name that is not portable
            if (folder / RECORD).exists() or existing_map(folder, MASK) is not None:
                return folder
            for suffix in MAP_SUFFIXES:
                picture = folder.with_name(folder.name + suffix)
                if picture.exists():
                    return picture
    return None


def read_class_probabilities(directory: Path, *, case_ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """Class probabilities by case id from `DIR/probabilities.csv` of another tool; empty where there is none.

    Its columns are `case_id` (or the stem alone) and one per class. Rows of other cases are left out. Raises
    `InputError` for missing columns, for values outside of 0..1, and for a row that fits several cases or none once.
    """
    path = directory / PROBABILITIES
    if not path.exists():
        return {}
    by_stem: dict[str, list[str]] = {}
    for case_id in case_ids:
        by_stem.setdefault(case_id.split("/")[-1], []).append(case_id)
    known, result = set(case_ids), {}
    for line, row in enumerate(_rows(path), start=2):
        if None in row:  # where DictReader puts what stands after the last column
            raise InputError(f"line {line} has more values than columns", remedy="mend the line", path=path)
        name = row.pop("case_id").strip()
        matches = [name] if name in known else by_stem.get(name, [])
        if len(matches) > 1:
            raise InputError(f"'{name}' in line {line} fits several cases", remedy="use full case ids", path=path)
        for case_id in matches:
            if case_id in result:
                raise InputError(f"'{case_id}' occurs again in line {line}", remedy="keep one row", path=path)
            result[case_id] = {label: _probability(text, path=path, line=line) for label, text in row.items()}
    return result


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        check_regular(path)
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, restval="")
            columns = [column.strip().lower() for column in reader.fieldnames or []]
            reader.fieldnames = columns
            if len(set(columns)) < len(columns):
                raise InputError("has a column twice", remedy="rename or remove one of them", path=path)
            if "case_id" not in columns or len(columns) < 2:
                raise InputError("lacks columns", remedy="it needs case_id and one column per class", path=path)
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"is not readable CSV ({error})", remedy="save it as UTF-8 CSV", path=path) from None


def _probability(text: str, *, path: Path, line: int) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value <= 1:
        raise InputError(f"'{text}' in line {line} is not a probability", remedy="write a number 0..1", path=path)
    return value
