"""Predictions as files: written by bustle, and read back for scoring whoever made them.

Own form, a folder per case: `prediction.json`, `mask.png`, `network_mask.png`, `overlay.png`, `probability.png`; the
maps of a volume are NRRD files of the same stems, because NIfTI keeps its place in the world in single precision
only; its mask numbers the candidates of `prediction.json` from 1. Foreign form: `DIR/<stem>.png` or
`DIR/<case_id>/mask.png` (non-zero = lesion), for volumes ending in `.nrrd`, `.mha`, `.nii` or `.nii.gz`, and
`DIR/probabilities.csv`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import check_regular, read_json, remove_file, write_json
from bustle.core.types import (
    Geometry,
    ImageMapping,
    ImageSegmentation,
    Lesion,
    LesionCandidate,
    Prediction,
    VolumeMapping,
    VolumeSegmentation,
)
from bustle.data.prepared.grid import mapped_grid
from bustle.inference.geometry_record import geometry_record, read_geometry_record
from bustle.io.raster import read_mask, write_png
from bustle.io.volume import WRITTEN_SUFFIXES, is_volume, read_mask_volume, read_numbers_volume, write_volume

MASK, NETWORK_MASK, PROBABILITY, OVERLAY = "mask.png", "network_mask.png", "probability.png", "overlay.png"
PICTURE_SUFFIX, VOLUME_SUFFIX = ".png", ".nrrd"
MAP_SUFFIXES = (PICTURE_SUFFIX, *WRITTEN_SUFFIXES)
"""Endings of the maps that are read."""
RECORD = "prediction.json"
PROBABILITIES = "probabilities.csv"


@dataclass(frozen=True)
class StoredPrediction:
    """A prediction read back from files; whatever a foreign tool did not write is None.

    `mask` is bool `*S` on the original grid, `network_mask` bool `*S` on the network's grid; `parts` uint8 numbers
    the voxels of a volume's mask by its `candidates`, from 1. `lesions` is the number of lesions that are drawn,
    `input_sha256` the digest of what was predicted, `centre` the place that the model was told. `geometry` is the
    original grid, `mapping` how the network saw it.
    """

    mask: NDArray[np.bool_] | None
    input_sha256: str | None = None
    centre: tuple[float, ...] | None = None
    lesions: int | None = None
    parts: NDArray[np.uint8] | None = None
    candidates: tuple[LesionCandidate, ...] = ()
    network_mask: NDArray[np.bool_] | None = None
    class_probabilities: Mapping[str, float] | None = None
    decision: str | None = None
    geometry: Geometry | None = None
    mapping: ImageMapping | VolumeMapping | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


def prediction_folder(directory: Path, case_id: str) -> Path:
    """The folder of one case, `directory/<source>/<stem>`.

    Raises `InputError` for an id that could lead out of `directory` or is no portable file name.
    """
    parts = case_id.split("/")
    printable = case_id.isprintable() and "\\" not in case_id
    if len(parts) > 2 or not printable or any(part.strip(" .") == "" for part in parts):
        raise InputError(
            f"case id {case_id!r} cannot name a folder", remedy="rename the case: one '/' at most, no '..', no '\\'"
        )
    return directory.joinpath(*parts)


def write_prediction(
    prediction: Prediction,
    folder: Path,
    *,
    overlay: NDArray[np.uint8] | None = None,
    save_probability: bool = False,
    input_sha256: str | None = None,
) -> None:
    """Write one prediction's files into `folder`; `overlay` is a picture `C h w` for people.

    `input_sha256` goes into the record, so that a later run can tell what was predicted.

    `prediction.json` is written last: where it stands, the other files are complete. Raises `InputError` where the
    folder cannot be written to.
    """
    names = (MASK, NETWORK_MASK, PROBABILITY)
    remove_file(folder / RECORD)
    for path in (folder / OVERLAY, *(path for name in names for path in map_files(folder, name))):
        remove_file(path)  # of an earlier prediction
    if overlay is not None:
        write_png(folder / OVERLAY, overlay)
    drawn = prediction.segmentation
    if drawn is not None:
        grid = mapped_grid(prediction.geometry, prediction.mapping)
        maps = {MASK: drawn.mask if isinstance(drawn, ImageSegmentation) else drawn.parts}
        maps[NETWORK_MASK] = drawn.network_mask
        if save_probability:
            maps[PROBABILITY] = _as_bytes(drawn.probability)
        for name, values in maps.items():
            if isinstance(drawn, ImageSegmentation):
                write_png(folder / name, values)
            else:
                place = grid.network if name == NETWORK_MASK else grid.geometry
                write_volume((folder / name).with_suffix(VOLUME_SUFFIX), values, geometry=place)
    write_json(folder / RECORD, as_record(prediction) | {"input_sha256": input_sha256})


def _as_bytes(probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0..1 as 0..255, slice by slice, because a volume's float copy would be four times the volume."""
    result = np.empty(probability.shape, np.uint8)
    for number, part in enumerate(probability):
        result[number] = np.round(part * 255)
    return result


def as_record(prediction: Prediction) -> dict[str, Any]:
    """The content of `prediction.json`; lengths are in `unit`, areas in its square, volumes in its cube."""
    geometry, drawn = prediction.geometry, prediction.segmentation
    size = None if drawn is None else float(drawn.mask.sum()) * math.prod(geometry.step)
    record: dict[str, Any] = {
        "case_id": prediction.case_id,
        "image_size": list(geometry.original_size),
        "spacing_mm": to_mapping(geometry.spacing),
        "unit": geometry.unit,
        "decision": prediction.decision,
        "class_probabilities": None
        if prediction.class_probabilities is None
        else dict(prediction.class_probabilities),
    }
    if isinstance(prediction.mapping, VolumeMapping):
        candidates = drawn.candidates if isinstance(drawn, VolumeSegmentation) else ()
        record |= {
            "mask_volume": size,
            "candidates": to_mapping(candidates),
            "centre": to_mapping(prediction.centre),
        }
    else:
        lesions = drawn.lesions if isinstance(drawn, ImageSegmentation) else ()
        record |= {"mask_area": size, "lesions": [_lesion(lesion) for lesion in lesions]}
    return record | {
        "geometry": geometry_record(geometry, prediction.mapping),
        "provenance": to_mapping(prediction.provenance),
    }


def _lesion(lesion: Lesion) -> dict[str, Any]:
    return {
        "area": lesion.area,
        "long_axis": lesion.long_axis,
        "short_axis": lesion.short_axis,
        "probability": lesion.probability,
        "box": lesion.box._asdict(),
        "contour": to_mapping(lesion.contour),
    }


def read_prediction(path: Path) -> StoredPrediction:
    """Read a case's folder, or the mask of another tool (PNG or volume). Raises `InputError` for broken files."""
    if path.is_file():
        return StoredPrediction(mask=_read_mask(path))
    mask_file = _existing(path, MASK)
    mask, parts = None, None
    if mask_file is not None and is_volume(mask_file):
        parts = read_numbers_volume(mask_file)
        mask = parts > 0
    elif mask_file is not None:
        mask = read_mask(mask_file)
    if not (path / RECORD).exists():
        if mask is None:
            raise InputError("holds no prediction", remedy=f"it needs {MASK} or {RECORD}", path=path)
        return StoredPrediction(mask=mask)
    record = read_json(path / RECORD)
    if not isinstance(record, dict):
        raise InputError("lacks a record", remedy="predict this case again", path=path / RECORD)
    network_mask = _existing(path, NETWORK_MASK)
    try:
        geometry, mapping = read_geometry_record(record["geometry"])
        return StoredPrediction(
            mask=mask,
            lesions=None if mask is None else _drawn(record),
            input_sha256=record.get("input_sha256"),
            centre=None if record.get("centre") is None else tuple(record["centre"]),
            parts=parts,
            candidates=tuple(
                from_mapping(LesionCandidate, entry, where="candidates") for entry in record.get("candidates", ())
            ),
            network_mask=None if network_mask is None else _read_mask(network_mask),
            class_probabilities=record["class_probabilities"],
            decision=record["decision"],
            geometry=geometry,
            mapping=mapping,
            provenance=record["provenance"],
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"lacks {error}", remedy="predict this case again", path=path / RECORD) from None


def _drawn(record: Mapping[str, Any]) -> int:
    candidates = record.get("candidates")
    if candidates is None:
        return len(record["lesions"])
    return sum(candidate["voxels"] > 0 for candidate in candidates)


def foreign_volume(path: Path) -> Path | None:
    """The mask of another tool, if it is a volume; None for bustle's own predictions and for images."""
    mask = path if path.is_file() else _existing(path, MASK)
    own = path.is_dir() and (path / RECORD).exists()
    return mask if mask is not None and not own and is_volume(mask) else None


def has_probability(folder: Path) -> bool:
    """Whether a case's folder holds its lesion map."""
    return _existing(folder, PROBABILITY) is not None


def _existing(folder: Path, name: str) -> Path | None:
    """The map of this name, of an image or of a volume; None where there is neither."""
    return next((path for path in map_files(folder, name) if path.exists()), None)


def map_files(folder: Path, name: str) -> list[Path]:
    """The files that a map `name` (such as `MASK`) may stand in."""
    stem = name.removesuffix(PICTURE_SUFFIX)
    return [folder / f"{stem}{suffix}" for suffix in MAP_SUFFIXES]


def _read_mask(path: Path) -> NDArray[np.bool_]:
    return read_mask_volume(path) if is_volume(path) else read_mask(path)


def find_predictions(directory: Path, *, case_ids: Sequence[str]) -> dict[str, Path]:
    """Which of the cases have a prediction below `directory`, and where (a folder or a file; see the file's top).

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
        folder = prediction_folder(directory, name)
        if (folder / RECORD).exists() or _existing(folder, MASK) is not None:
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
