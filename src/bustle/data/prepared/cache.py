"""Decoded and resized cases in memory-mapped uint8 arrays, so that an epoch never decodes an image file.

A cache is a folder `prepared-<key>` of `index.json` and one array file per kind. The key is a hash of everything
that decides its content: the files' bytes, what the readers say about the cases, and the resizing. An array that
does not have the checksum of its index is not used but made again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.cache_folder import cache_directory
from bustle.core.data_section import ImageData, PatchData
from bustle.core.errors import InputError
from bustle.core.files import write_error
from bustle.core.types import Box, Case
from bustle.data.content_hashes import content_hashes
from bustle.data.prepared.building_folder import building_folder, put_in_place
from bustle.data.prepared.cache_building import write_arrays
from bustle.data.prepared.cache_index import FORMAT, CacheIndex, intact, read_index, write_index
from bustle.data.prepared.mapped_files import MappedFiles


class CaseCache:
    """The pixels and annotations of N cases on the network's grid, in the order in which they were given.

    `images` uint8 `N C h w` (C = 1 when every case is grey, else 3); `lesion_masks` uint8 instance maps `N h w`;
    `gland_masks` uint8 `N h w` of 0 and 1. Of volumes, whose sizes differ, these are lists of `C d h w` and `d h w`
    on cubic voxels. Absent annotations are zero, and flagged in `has_mask`, `has_gland`,
    `has_box`, `has_label` (bool `N`). `labels` int64 `N` indexes the section's classes, -1 = none of them.
    `boxes[i]` are in network pixels, empty where there are none.
    """

    def __init__(
        self,
        index: CacheIndex,
        arrays: Mapping[str, NDArray[np.uint8]],
        *,
        classes: Sequence[str],
        files: MappedFiles | None = None,
    ):
        self._index = index
        self._files = files
        self.cases = index.cases
        self.case_ids = [case.case_id for case in index.cases]
        self._arrays = arrays
        self.images = _case_by_case(arrays["images"], index, channels=True)
        self.lesion_masks = _case_by_case(arrays["lesion_masks"], index)
        self.gland_masks = _case_by_case(arrays["gland_masks"], index)
        self.has_mask = np.array([case.has_mask for case in index.cases], bool)
        self.has_gland = np.array([case.has_gland for case in index.cases], bool)
        self.has_box = np.array([case.boxes is not None for case in index.cases], bool)
        position = {name: number for number, name in enumerate(classes)}
        self.labels = np.array([position.get(case.label or "", -1) for case in index.cases], np.int64)
        self.has_label = self.labels >= 0
        self.boxes = [[Box(*box) for box in case.boxes or ()] for case in index.cases]
        self.geometries = [case.geometry for case in index.cases]
        self._positions = {case_id: number for number, case_id in enumerate(self.case_ids)}

    def __len__(self) -> int:
        return len(self.case_ids)

    def check(self) -> None:
        """To be called before pixels are read: raises `InputError` where another program has touched the files."""
        if self._files is not None:
            self._files.check()

    def index_of(self, case_id: str) -> int:
        """The position of a case; raises KeyError when it is not in the cache."""
        return self._positions[case_id]

    @classmethod
    def open(
        cls,
        cases: Sequence[Case],
        *,
        section: ImageData | PatchData,
        directory: Path | None = None,
    ) -> CaseCache:
        """Map the cache of these cases, and make it first where it is missing, stale or damaged.

        `directory` holds all caches (default: `cache_directory()`). Raises `InputError` for a case that cannot be
        decoded and for a folder or disk that cannot take the cache.
        """
        if not cases:
            raise InputError("there are no cases to prepare", remedy="check the data spec and the split")
        root = directory or cache_directory()
        key = _key(cases, section=section, root=root)
        folder = root / f"prepared-{key[:24]}"
        opened = _open_mapped(folder, key=key, section=section)
        return opened if opened is not None else _build(folder, cases, key=key, section=section)


def _case_by_case(array: NDArray[np.uint8], index: CacheIndex, *, channels: bool = False) -> Any:
    """An array of all cases as it is, a flat one as a list with one view per case."""
    if array.ndim > 1:
        return array
    sizes = [case.network_size for case in index.cases]
    count = array.size // sum(map(math.prod, sizes)) if channels else 1
    shapes = [(count, *size) if channels else size for size in sizes]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    parts = np.split(array, ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _key(cases: Sequence[Case], *, section: ImageData | PatchData, root: Path) -> str:
    """SHA-256 of all that decides the cache's content; generated cases are known by their metadata."""
    hashes = content_hashes((file for case in cases for file in case.files), directory=root)
    described = [
        {
            "case_id": case.case_id,
            "source": case.source,
            "patient_id": case.patient_id,
            "label": case.label,
            "spacing": case.spacing,
            "annotations": [case.has_mask, case.mask_files, case.has_gland, case.has_box],
            "files": [hashes[file] for file in case.files] or dict(case.metadata),
        }
        for case in cases
    ]
    content = {"format": FORMAT, "prepared_for": section.preparation(), "cases": described}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _open_mapped(folder: Path, *, key: str, section: ImageData | PatchData) -> CaseCache | None:
    """Map a cache folder; None if it is missing, stale or damaged."""
    index = read_index(folder / "index.json")
    if index is None or index.key != key:
        return None
    paths = {name: folder / f"{name}.npy" for name in index.shapes}
    try:
        files = MappedFiles(paths.values())
        arrays = {name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in paths.items()}
    except (OSError, ValueError, EOFError):
        return None
    if not intact(index, arrays):
        return None
    return CaseCache(index, _with_gland(index, arrays), classes=section.classes, files=files)


def _with_gland(index: CacheIndex, arrays: Mapping[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.uint8]]:
    """Add the gland masks of a cache that has none: zeros that take no memory."""
    empty = np.broadcast_to(np.zeros((), np.uint8), index.shapes["lesion_masks"])
    return {"gland_masks": empty, **arrays}


def _build(folder: Path, cases: Sequence[Case], *, key: str, section: ImageData | PatchData) -> CaseCache:
    """Decode all cases into a temporary folder, map it, and put it in place.

    Several processes may build the same cache at once: each works by itself and keeps what it has mapped.
    """
    root = folder.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        with building_folder(root) as own:
            building = own / "cache"
            building.mkdir()
            index = write_arrays(building, cases, key=key, section=section)
            write_index(building, index)
            built = _open_mapped(building, key=key, section=section)
            if built is None:
                raise InputError("was damaged while it was made", remedy="check the disk", path=folder)
            put_in_place(building, folder, spare=own)
            return built
    except OSError as error:
        told = write_error(folder, error)
        remedy = f"{told.remedy}; BUSTLE_CACHE=FOLDER keeps prepared cases elsewhere"
        raise InputError(told.problem, remedy=remedy, path=folder) from error
