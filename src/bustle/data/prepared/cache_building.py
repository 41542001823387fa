"""Decodes every case once and writes the arrays of a cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.core.data_section import ImageData, PatchData
from bustle.core.errors import InputError
from bustle.core.progress import progress
from bustle.core.types import Case
from bustle.data.prepared.cache_index import FORMAT, CachedCase, CacheIndex
from bustle.data.prepared.grid import boxes_to_network, grid_for

ARRAYS = ("images", "lesion_masks", "gland_masks")


def write_arrays(folder: Path, cases: Sequence[Case], *, key: str, section: ImageData | PatchData) -> CacheIndex:
    """Decode every case once. Arrays are written as streams: a full disk is then an error, not a crash."""
    described: list[CachedCase] = []
    channels: list[int] = []
    raw = {name: folder / f"{name}.raw" for name in ARRAYS}
    with contextlib.ExitStack() as stack:
        streams = {name: stack.enter_context(path.open("wb")) for name, path in raw.items()}
        for case in progress(cases, description="preparing cases"):
            prepared = _prepare(case, section=section)
            described.append(prepared.described)
            channels.append(prepared.image.shape[0])
            streams["images"].write(prepared.image.data)
            streams["lesion_masks"].write(prepared.lesion_mask.data)
            streams["gland_masks"].write(prepared.gland_mask.data)
    kinds = [name for name in ARRAYS if name != "gland_masks" or any(case.has_gland for case in described)]
    sizes = [math.prod(case.network_size) for case in described]
    shapes: dict[str, tuple[int, ...]] = {}
    sha256: dict[str, str] = {}
    for name in kinds:
        stored, wanted = (channels, max(channels)) if name == "images" else ([1] * len(described), 1)
        if section.prepared_size is None:
            shapes[name] = (wanted * sum(sizes),)
        else:
            shapes[name] = (len(described), *([wanted] if name == "images" else []), *section.prepared_size)
        chunks = _stored_planes(raw[name], stored, sizes=sizes, wanted=wanted)
        sha256[name] = _write_array(folder / f"{name}.npy", chunks, shape=shapes[name])
    for path in raw.values():
        path.unlink()
    return CacheIndex(
        format=FORMAT,
        key=key,
        prepared_for=section.preparation(),
        shapes=shapes,
        sha256=sha256,
        cases=tuple(described),
    )


def _stored_planes(raw: Path, channels: Sequence[int], *, sizes: Sequence[int], wanted: int) -> Iterator[bytes]:
    """The bytes of one case after the other, a grey image repeated where others have colour."""
    with raw.open("rb") as stream:
        for count, size in zip(channels, sizes, strict=True):
            content = stream.read(count * size)
            yield content if count == wanted else content * wanted


def _write_array(path: Path, chunks: Iterator[bytes], *, shape: tuple[int, ...]) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for chunk in chunks:
            stream.write(chunk)
            digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True)
class _PreparedCase:
    described: CachedCase
    image: NDArray[np.uint8]
    lesion_mask: NDArray[np.uint8]
    gland_mask: NDArray[np.uint8]


def _prepare(case: Case, *, section: ImageData | PatchData) -> _PreparedCase:
    sample = case.load()
    try:
        grid = grid_for(sample.geometry, section=section)
    except InputError as error:
        error.path = error.path or next(iter(case.files), None)
        raise
    image = grid.prepare(sample.image)
    empty = np.zeros(image.shape[1:], np.uint8)
    lesion_mask, gland_mask = empty, empty
    if sample.lesion_mask is not None:
        instances = sample.lesion_mask
        if section.multi_mask == "first":
            instances = np.where(instances == 1, instances, np.uint8(0))
        lesion_mask = grid.mask_to_network(instances)
    if sample.gland_mask is not None:
        gland_mask = grid.mask_to_network(sample.gland_mask).astype(np.uint8)
    boxes = boxes_to_network(sample.boxes, grid=grid)
    described = CachedCase(
        case_id=case.case_id,
        source=case.source,
        patient_id=case.patient_id,
        label=case.label,
        has_mask=sample.lesion_mask is not None,
        has_gland=sample.gland_mask is not None,
        boxes=None if boxes is None else tuple(map(tuple, boxes)),
        geometry=grid.geometry,
        network_size=grid.network.original_size,
    )
    return _PreparedCase(described, *(np.ascontiguousarray(a) for a in (image, lesion_mask, gland_mask)))
