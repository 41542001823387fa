"""Predictions as files: written by bustle, and read back for scoring whoever made them.

Own form, a folder per case: `prediction.json`, `mask.png`, `network_mask.png`, `overlay.png`, `probability.png`, and
`raw_mask.png` where the answer changed the network's own mask; the maps of a volume are NRRD files of the same stems,
because NIfTI keeps its place in the world in single precision only; its mask numbers the candidates of
`prediction.json` from 1. An explanation has a picture, `explanation_cam.png`, and its map in 16 bits,
`explanation_cam_map.png`; a map of the network's own is `channel_coarse_gland.png` and `…_map.png`.
Foreign form: `DIR/<stem>.png` or `DIR/<case_id>/mask.png` (0 and another value, or
probabilities of 0..255, which are lesion from half), for volumes ending in `.nrrd`, `.mha`, `.nii` or `.nii.gz`, and
`DIR/probabilities.csv`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.explanation import CHANNEL, METHODS, ExplanationMethod
from bustle.core.files import remove_file
from bustle.core.folder_names import portable_name
from bustle.core.model_provenance import ForeignProvenance
from bustle.core.types import Explanation, Geometry, ImageSegmentation, Prediction
from bustle.data.prepared.grid import mapped_grid
from bustle.inference.descriptors.results import LesionDescriptors
from bustle.inference.prediction_record import ImageRecord, VolumeRecord, read_record, record_of, write_record
from bustle.inference.stored_prediction import NetworkMask, StoredImageMask, StoredPrediction, StoredVolumeMask
from bustle.io.raster import image_size, read_image, read_mask, read_predicted_mask, write_png
from bustle.io.volume import (
    WRITTEN_SUFFIXES,
    is_volume,
    read_header,
    read_mask_volume,
    read_numbers_volume,
    read_predicted_volume,
    read_volume,
    write_volume,
)

MASK, NETWORK_MASK, PROBABILITY, OVERLAY = "mask.png", "network_mask.png", "probability.png", "overlay.png"
RAW_MASK = "raw_mask.png"
"""What the network itself drew, where the answer has another mask."""
PICTURE_SUFFIX, VOLUME_SUFFIX = ".png", ".nrrd"
MAP_SUFFIXES = (PICTURE_SUFFIX, *WRITTEN_SUFFIXES)
"""Endings of the maps that are read."""
OBJECTS = "dicom-objects"
"""The folder, beside those of the predictions, of the DICOM objects about them."""

RECORD = "prediction.json"
EXPLANATIONS: Mapping[ExplanationMethod, str] = {method: f"explanation_{method}.png" for method in METHODS}
EXPLANATION_MAPS: Mapping[ExplanationMethod, str] = {method: f"explanation_{method}_map.png" for method in METHODS}
"""The pictures of explanations, and their maps in 16 bits."""
CHANNELS = "channel_*"
"""The stems of both for the channels of a network."""
PROBABILITIES = "probabilities.csv"


def prediction_folder(directory: Path, case_id: str) -> Path:
    """The folder of one case, `directory/<source>/<stem>`, each in its portable form.

    Raises `InputError` for an id that could lead out of `directory` or is no portable file name.
    """
    parts = case_id.split("/")
    printable = case_id.isprintable() and "\\" not in case_id
    if len(parts) > 2 or not printable or any(part.strip(" .") == "" for part in parts):
        raise InputError(
            f"case id {case_id!r} cannot name a folder", remedy="rename the case: one '/' at most, no '..', no '\\'"
        )
    return directory.joinpath(*map(portable_name, parts))


def write_prediction(
    prediction: Prediction,
    folder: Path,
    *,
    overlay: NDArray[np.uint8] | None = None,
    explanation_pictures: Sequence[NDArray[np.uint8]] = (),
    save_probability: bool = False,
    input_sha256: str | None = None,
    descriptors: Sequence[LesionDescriptors] = (),
) -> None:
    """Write one prediction's files into `folder`; `overlay` is a picture `C h w` for people.

    `explanation_pictures` are such of the prediction's explanations, in their order. A text chunk of each names the
    model.

    `input_sha256` goes into the record, so that a later run can tell what was predicted, and so do the `descriptors`
    of lesions by their numbers.

    `prediction.json` is written last: where it stands, the other files are complete. Raises `InputError` where the
    folder cannot be written to.
    """
    remove_prediction(folder)
    grid = mapped_grid(prediction.geometry, prediction.mapping)
    made_by = f"bustle, {prediction.provenance.title}"
    if overlay is not None:
        write_png(folder / OVERLAY, overlay, software=made_by)
    drawn = prediction.segmentation
    if drawn is not None:
        on_image = isinstance(drawn, ImageSegmentation)
        mask, raw = (drawn.mask, drawn.raw_mask) if on_image else (drawn.parts, drawn.raw_parts)
        _write_map(folder / MASK, mask, place=grid.geometry)
        _write_map(folder / NETWORK_MASK, drawn.network_mask, place=grid.network)
        if raw is not None:
            _write_map(folder / RAW_MASK, raw, place=grid.geometry)
        if save_probability:
            _write_map(folder / PROBABILITY, _as_bytes(drawn.probability), place=grid.geometry)
    maps = []
    for found, picture in zip(prediction.explanations, explanation_pictures, strict=True):
        names = explanation_names(found.method, channel=found.channel)
        write_png(folder / names.picture, picture, software=made_by)
        path = _write_map(folder / names.map, _in_16_bits(found), place=grid.geometry)
        maps.append(path.name)
    record = record_of(prediction, input_sha256=input_sha256, descriptors=descriptors, explanation_files=maps)
    write_record(folder / RECORD, record)


def remove_objects(out: Path) -> None:
    """Remove the objects of an earlier command, which tell of the predictions before."""
    for path in sorted((out / OBJECTS).glob("*.dcm")):
        remove_file(path)


def remove_prediction(folder: Path) -> None:
    """Remove the files of an earlier prediction, the record first."""
    names = (MASK, NETWORK_MASK, RAW_MASK, PROBABILITY, *EXPLANATION_MAPS.values())
    pictures = [folder / name for name in (OVERLAY, *EXPLANATIONS.values())]
    remove_file(folder / RECORD)
    pictures += sorted(folder.glob(f"{CHANNELS}{PICTURE_SUFFIX}")) + sorted(folder.glob(f"{CHANNELS}{VOLUME_SUFFIX}"))
    for path in (*pictures, *(path for name in names for path in map_files(folder, name))):
        remove_file(path)


class ExplanationNames(NamedTuple):
    """The files of one explanation: its picture, and its map, which of a volume has another ending."""

    picture: str
    map: str


def explanation_names(method: ExplanationMethod, *, channel: str | None) -> ExplanationNames:
    if channel is None:
        return ExplanationNames(EXPLANATIONS[method], EXPLANATION_MAPS[method])
    return ExplanationNames(f"channel_{channel}{PICTURE_SUFFIX}", f"channel_{channel}_map{PICTURE_SUFFIX}")


def _write_map(
    path: Path, values: NDArray[np.uint8] | NDArray[np.bool_] | NDArray[np.uint16], *, place: Geometry
) -> Path:
    """Write a map `H W` or `D H W` that lies at `place`; returns where."""
    if values.ndim == 2:
        write_png(path, values)
        return path
    volume = path.with_suffix(VOLUME_SUFFIX)
    write_volume(volume, values, geometry=place)
    return volume


def _in_16_bits(found: Explanation) -> NDArray[np.uint16]:
    """The limits of a map as 0 and 65535, slice by slice; 0 where it says nothing anywhere."""
    low, high = found.limits
    result = np.zeros(found.values.shape, np.uint16)
    for number, part in enumerate(found.values if high > low else ()):
        result[number] = np.round((part.astype(np.float64) - low) / (high - low) * 65535)
    return result


def _as_bytes(probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0..1 as 0..255, slice by slice, because a volume's float copy would be four times the volume."""
    result = np.empty(probability.shape, np.uint8)
    for number, part in enumerate(probability):
        result[number] = np.round(part * 255)
    return result


def read_prediction(path: Path) -> StoredPrediction:
    """Read a case's folder, or the mask of another tool (PNG or volume). Raises `InputError` for broken files."""
    mask, record = _opened(path)
    if record is None:
        assert mask is not None
        return StoredPrediction(_foreign_mask(mask))
    return StoredPrediction(
        segmentation=None if mask is None else _own_mask(mask, record, folder=path),
        class_probabilities=record.class_probabilities,
        decision=record.decision,
        answer=record.answer,
        explained_by=tuple(dict.fromkeys(found.method for found in record.explanations)),
        channels=tuple(found.channel for found in record.explanations if found.channel is not None),
        centre=record.centre,
        input_sha256=record.input_sha256,
        provenance=None if record.provenance == ForeignProvenance({}) else record.provenance,
        remarks=record.remarks,
    )


def check_prediction(path: Path) -> None:
    """Raises `InputError` where `read_prediction` would, but for what shows only when pixels are decoded."""
    _opened(path)


class _Opened(NamedTuple):
    """A prediction's mask, None without any, and its record, None of another tool."""

    mask: Path | None
    record: ImageRecord | VolumeRecord | None


def _opened(path: Path) -> _Opened:
    """The record read, and the masks' sizes compared with it."""
    if path.is_file():
        _size_of(path)
        return _Opened(path, None)
    mask = existing_map(path, MASK)
    if not (path / RECORD).exists():
        if mask is None:
            raise InputError("holds no prediction", remedy=f"it needs {MASK} or {RECORD}", path=path)
        _size_of(mask)
        return _Opened(mask, None)
    record = read_record(path / RECORD)
    stated = {
        mask: record.geometry.original_size,
        existing_map(path, RAW_MASK): record.geometry.original_size,
        existing_map(path, NETWORK_MASK): record.geometry.network_size,
    }
    for file, size in stated.items():
        if file is not None and size is not None and _size_of(file) != size:
            raise InputError(
                f"is {_by(_size_of(file))}, {RECORD} beside it says {_by(size)}", remedy="make both anew", path=file
            )
    return _Opened(mask, record)


def _size_of(file: Path) -> tuple[int, ...]:
    return read_header(file).size if is_volume(file) else image_size(file)


def _by(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))


def _network_mask(folder: Path, record: ImageRecord | VolumeRecord) -> NetworkMask | None:
    file, mapping = existing_map(folder, NETWORK_MASK), record.geometry.mapping
    if file is None or mapping is None:
        return None
    return NetworkMask(_read_mask(file), mapped_grid(record.geometry.geometry, mapping))


def _own_mask(file: Path, record: ImageRecord | VolumeRecord, *, folder: Path) -> StoredImageMask | StoredVolumeMask:
    network, raw = _network_mask(folder, record), existing_map(folder, RAW_MASK)
    if isinstance(record, VolumeRecord):
        return StoredVolumeMask(
            read_numbers_volume(file),
            candidates=tuple(candidate.found for candidate in record.drawn.candidates),
            network=network,
            raw=None if raw is None else read_numbers_volume(raw),
        )
    lesions = record.drawn.lesions
    return StoredImageMask(
        read_mask(file),
        lesion_count=None if lesions is None else len(lesions),
        network=network,
        raw=None if raw is None else read_mask(raw),
    )


def _foreign_mask(file: Path) -> StoredImageMask | StoredVolumeMask:
    """Voxels of a volume bear no candidate's number."""
    mask = read_predicted_volume(file) if is_volume(file) else read_predicted_mask(file)
    return StoredImageMask(mask) if mask.ndim == 2 else StoredVolumeMask(mask.view(np.uint8))


def foreign_volume(path: Path) -> Path | None:
    """The mask of another tool, if it is a volume; None for bustle's own predictions and for images."""
    mask = path if path.is_file() else existing_map(path, MASK)
    own = path.is_dir() and (path / RECORD).exists()
    return mask if mask is not None and not own and is_volume(mask) else None


def check_pictures(
    folder: Path,
    *,
    probability: bool,
    explanations: Sequence[ExplanationMethod] = (),
    channels: Sequence[str] = (),
) -> None:
    """Decode what `read_prediction` does not: a case's overlay and, where asked for, its lesion map and explanations.

    `channels` are the network's own that were written. Raises `InputError` for one that is missing or damaged.
    """
    asked = [explanation_names(method, channel=None) for method in explanations if method != CHANNEL]
    asked += [explanation_names(CHANNEL, channel=channel) for channel in channels if CHANNEL in explanations]
    for name in (OVERLAY, *(names.picture for names in asked)):
        read_image(folder / name)
    for name in [*([PROBABILITY] if probability else []), *(names.map for names in asked)]:
        file = existing_map(folder, name)
        if file is None:
            raise InputError(f"lacks the {Path(name).stem}", remedy="predict this case again", path=folder)
        if is_volume(file):
            read_volume(file)
        else:
            read_image(file)


def existing_map(folder: Path, name: str) -> Path | None:
    """The map of this name, of an image or of a volume; None where there is neither."""
    return next((path for path in map_files(folder, name) if path.exists()), None)


def map_files(folder: Path, name: str) -> list[Path]:
    """The files that a map `name` (such as `MASK`) may stand in."""
    stem = name.removesuffix(PICTURE_SUFFIX)
    return [folder / f"{stem}{suffix}" for suffix in MAP_SUFFIXES]


def _read_mask(path: Path) -> NDArray[np.bool_]:
    return read_mask_volume(path) if is_volume(path) else read_mask(path)
