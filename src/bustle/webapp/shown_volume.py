"""A volume as the page shows it: its voxels as NIfTI files that a browser reads at once, and what was found in it."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.files import atomic_path, read_json, write_bytes, write_json
from bustle.data.prepared.joined_voxels import averaged, steps_to
from bustle.experiments.pictures import Picture
from bustle.inference.prediction_files import RECORD, prediction_folder, read_prediction
from bustle.inference.prediction_record import CandidateRecord, VolumeRecord, read_record
from bustle.webapp.data_folder import CaseFolder, VolumePart
from bustle.webapp.told_descriptors import told_descriptors
from bustle.webapp.volume_messages import CandidateInfo, VolumeInfo

MOST_VOXELS: Mapping[VolumePart, int] = {"first": 2_000_000, "voxels": 8_000_000}
"""Of the copy that is seen first, and of the one after it: a browser without a graphics card bears no more."""

MALIGNANT = "malignant"
_HEADER_BYTES, _FIRST_BYTE = 348, 352
_UINT8, _MM, _SCANNER = 2, 2, 1


def write_shown(folder: CaseFolder, picture: Picture) -> None:
    """Write what is seen of a volume, in two sizes. Raises `InputError` where that is not possible."""
    voxels, spacing = picture.image[0], picture.geometry.spacing
    sizes = np.asarray(spacing or (1.0, 1.0, 1.0))
    for part, most in MOST_VOXELS.items():
        steps = steps_to(most, shape=voxels.shape, spacing=sizes)
        write_bytes(folder.volume(part), nifti(averaged(voxels, steps=steps), spacing=sizes * steps))
    with atomic_path(folder.all_voxels) as path, path.open("wb") as stream:
        np.save(stream, voxels)
    write_json(folder.volume_size, {"size": voxels.shape, "spacing_mm": spacing})


def slice_picture(folder: CaseFolder, number: int) -> NDArray[np.uint8] | None:
    """A slice (from 0) in full, uint8 `1 H W`, of square pixels as small as the smaller side; None of no slice."""
    voxels = np.load(folder.all_voxels, mmap_mode="r")
    if not 0 <= number < len(voxels):
        return None
    rows, columns = voxels.shape[1:]
    sizes = read_json(folder.volume_size)["spacing_mm"] or (1.0, 1.0, 1.0)
    side = min(sizes[1:])
    size = (round(columns * sizes[2] / side), round(rows * sizes[1] / side))
    return np.asarray(cv2.resize(np.asarray(voxels[number]), size, interpolation=cv2.INTER_LINEAR), np.uint8)[None]


def write_outlined(folder: CaseFolder, name: str) -> None:
    """Write what the prediction `name` outlines on the volume's grid, where it outlines anything.

    Raises `InputError` where that is not possible.
    """
    drawn = read_prediction(prediction_folder(folder.answer, name)).segmentation
    if drawn is None:
        return
    sizes = np.asarray(read_json(folder.volume_size)["spacing_mm"] or (1.0, 1.0, 1.0))
    steps = steps_to(MOST_VOXELS["voxels"], shape=drawn.mask.shape, spacing=sizes)
    shown = averaged(255 * drawn.mask.astype(np.uint8), steps=steps)
    outlined = nifti(shown, spacing=sizes * steps)
    write_bytes(folder.volume("mask"), gzip.compress(outlined, compresslevel=1, mtime=0))


def volume_info(folder: CaseFolder, name: str) -> VolumeInfo:
    """What the prediction `name` found; of a volume that no model has read, nothing but its size.

    Raises `InputError` for damaged files.
    """
    shape = read_json(folder.volume_size)
    path = prediction_folder(folder.answer, name) / RECORD
    record = read_record(path) if path.exists() else None
    candidates = record.drawn.candidates if isinstance(record, VolumeRecord) else ()
    unit = (record and record.unit) or "px"
    return VolumeInfo(
        size=shape["size"],
        spacing_mm=shape["spacing_mm"],
        is_read=record is not None,
        has_mask=folder.volume("mask").exists(),
        candidates=[_told(number, one, unit=unit) for number, one in enumerate(candidates, start=1)],
    )


def _told(number: int, candidate: CandidateRecord, *, unit: str) -> CandidateInfo:
    found = candidate.found
    return CandidateInfo.model_validate(
        {
            "number": number,
            "centre": found.centre,
            "score": found.score,
            "volume_mm3": found.volume_mm3,
            "malignant": (found.class_probabilities or {}).get(MALIGNANT),
        }
        | told_descriptors(candidate.descriptors, unit=unit)
    )


def nifti(voxels: NDArray[np.uint8], *, spacing: NDArray[np.float64]) -> bytes:
    """Voxels `D H W` as an unpacked NIfTI-1 file, `spacing` (mm) in that order.

    Rows go down on the screen, as depth does in ultrasound. Source: nifti.nimh.nih.gov, nifti1.h.
    """
    depth, height, width = voxels.shape
    down, rows, columns = (float(size) for size in spacing)
    header = bytearray(_FIRST_BYTE)
    struct.pack_into("<i", header, 0, _HEADER_BYTES)
    struct.pack_into("<8h", header, 40, 3, width, height, depth, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, _UINT8, 8)
    struct.pack_into("<8f", header, 76, 1.0, columns, rows, down, 0.0, 0.0, 0.0, 0.0)
    struct.pack_into("<3f", header, 108, _FIRST_BYTE, 1.0, 0.0)
    struct.pack_into("<b", header, 123, _MM)
    struct.pack_into("<2h", header, 252, 0, _SCANNER)
    affine = (columns, 0.0, 0.0, 0.0, 0.0, -rows, 0.0, (height - 1) * rows, 0.0, 0.0, down, 0.0)
    struct.pack_into("<12f", header, 280, *affine)
    struct.pack_into("<4s", header, 344, b"n+1")
    return bytes(header) + np.ascontiguousarray(voxels).tobytes()
