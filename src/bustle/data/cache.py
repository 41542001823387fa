"""Decoded and resized cases in memory-mapped uint8 arrays, so that an epoch never decodes an image file.

A cache is a folder `prepared-<key>` of `index.json` and one array file per kind. The key is a hash of everything
that decides its content: the files' bytes, what the readers say about the cases, and the resizing. An array that
does not have the checksum of its index is not used but made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import atomic_path, read_json, write_error, write_json
from bustle.core.progress import progress as with_progress
from bustle.core.recipe import DataSection
from bustle.core.types import Box, Case, Geometry, Label
from bustle.data.content_hashes import cache_directory, content_hashes
from bustle.data.preprocess import box_to_network_grid, mask_to_network_grid, to_network_grid

FORMAT = 1
"""Raised whenever the files' form or the preprocessing changes: older caches are then made again."""

ARRAYS = ("images", "lesion_masks", "gland_masks")


@dataclass(frozen=True, kw_only=True)
class CachedCase:
    """What is known of a cached case besides its pixels; `boxes` are in pixels of the network's grid."""

    case_id: str
    source: str
    patient_id: str | None
    label: Label | None
    has_mask: bool
    has_gland: bool
    boxes: tuple[tuple[int, ...], ...] | None
    geometry: Geometry


@dataclass(frozen=True, kw_only=True)
class _Index:
    """The content of `index.json`. `prepared_for` is what of the recipe's data section decides the pixels."""

    format: int
    key: str
    prepared_for: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]
    sha256: Mapping[str, str]
    cases: tuple[CachedCase, ...]


class CaseCache:
    """The pixels and annotations of N cases on the network's grid, in the order in which they were given.

    `images` uint8 `N C h w` (C = 1 when every case is grey, else 3); `lesion_masks` uint8 instance maps `N h w`;
    `gland_masks` uint8 `N h w` of 0 and 1. Absent annotations are zero, and flagged in `has_mask`, `has_gland`,
    `has_box`, `has_label` (bool `N`). `labels` int64 `N` indexes the section's classes, -1 = none of them.
    `boxes[i]` are in network pixels, empty where there are none.
    """

    def __init__(self, index: _Index, arrays: Mapping[str, NDArray[np.uint8]], *, classes: Sequence[str]):
        self._index = index
        self.cases = index.cases
        self.case_ids = [case.case_id for case in index.cases]
        self.images = arrays["images"]
        self.lesion_masks = arrays["lesion_masks"]
        self.gland_masks = arrays["gland_masks"]
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

    def index_of(self, case_id: str) -> int:
        """The position of a case; raises KeyError when it is not in the cache."""
        return self._positions[case_id]

    @classmethod
    def open(
        cls, cases: Sequence[Case], *, section: DataSection, directory: Path | None = None, progress: bool = True
    ) -> CaseCache:
        """Map the cache of these cases, and make it first where it is missing, stale or damaged.

        `directory` holds all caches (default: `$BUSTLE_CACHE` or `~/.cache/bustle`). Raises `InputError` for a
        case that cannot be decoded and for a folder or disk that cannot take the cache.
        """
        if not cases:
            raise InputError("there are no cases to prepare", remedy="check the data spec and the split")
        root = directory or cache_directory()
        key = _key(cases, section=section, root=root)
        folder = root / f"prepared-{key[:24]}"
        opened = _open_mapped(folder, key=key, section=section)
        return opened if opened is not None else _build(folder, cases, key=key, section=section, progress=progress)

    def save(self, directory: Path) -> None:
        """Write a compressed copy that `load` opens anywhere, without the original files."""
        with atomic_path(directory / "arrays.npz") as temporary:
            np.savez_compressed(temporary, **{name: getattr(self, name) for name in self._index.shapes})
        _write_index(directory, self._index)

    @classmethod
    def load(cls, directory: Path, *, section: DataSection) -> CaseCache:
        """Open what `save` wrote; raises `InputError` if it is damaged or was prepared for another section."""
        path = directory / "index.json"
        index = _read_index(path)
        if index is None:
            raise InputError("is not a readable index of prepared cases", remedy="save them again", path=path)
        if index.prepared_for != _prepared_for(section):
            raise InputError(
                f"was prepared with {dict(index.prepared_for)}, the recipe asks for {_prepared_for(section)}",
                remedy="save it again with this recipe's data section",
                path=path,
            )
        path = directory / "arrays.npz"
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in index.shapes}
        except Exception as error:  # zipfile, zlib, KeyError, ValueError, OSError: all mean a damaged archive
            raise InputError(f"cannot be read ({error})", remedy="copy it again", path=path) from None
        if not _intact(index, arrays):
            raise InputError("does not match its index", remedy="copy it again", path=path)
        return cls(index, _with_gland(index, arrays), classes=section.classes)


def _prepared_for(section: DataSection) -> dict[str, Any]:
    return {"size": list(section.size), "resize": section.resize, "multi_mask": section.multi_mask}


def _key(cases: Sequence[Case], *, section: DataSection, root: Path) -> str:
    """SHA-256 of all that decides the cache's content; generated cases are known by their metadata."""
    hashes = content_hashes((file for case in cases for file in case.files), directory=root)
    described = [
        {
            "case_id": case.case_id,
            "source": case.source,
            "patient_id": case.patient_id,
            "label": case.label,
            "spacing": case.spacing,
            "files": [hashes[file] for file in case.files] or dict(case.metadata),
        }
        for case in cases
    ]
    content = {"format": FORMAT, "prepared_for": _prepared_for(section), "cases": described}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _open_mapped(folder: Path, *, key: str, section: DataSection) -> CaseCache | None:
    """Map a cache folder; None if it is missing, stale or damaged."""
    index = _read_index(folder / "index.json")
    if index is None or index.key != key:
        return None
    try:
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in index.shapes}
    except (OSError, ValueError, EOFError):
        return None
    if not _intact(index, arrays):
        return None
    return CaseCache(index, _with_gland(index, arrays), classes=section.classes)


def _intact(index: _Index, arrays: Mapping[str, NDArray]) -> bool:
    return all(
        array.dtype == np.uint8
        and array.shape == index.shapes[name]
        and array.flags.c_contiguous
        and hashlib.sha256(array.data).hexdigest() == index.sha256[name]
        for name, array in arrays.items()
    )


def _with_gland(index: _Index, arrays: Mapping[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.uint8]]:
    """Add the gland masks of a cache that has none: zeros that take no memory."""
    empty = np.broadcast_to(np.zeros((), np.uint8), index.shapes["lesion_masks"])
    return {"gland_masks": empty, **arrays}


def _build(folder: Path, cases: Sequence[Case], *, key: str, section: DataSection, progress: bool) -> CaseCache:
    """Decode all cases into a temporary folder, map it, and put it in place.

    Several processes may build the same cache at once: each works by itself and keeps what it has mapped.
    """
    root = folder.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".preparing-", ignore_cleanup_errors=True) as name:
            building = Path(name) / "cache"
            building.mkdir()
            index = _write_arrays(building, cases, key=key, section=section, progress=progress)
            _write_index(building, index)
            built = _open_mapped(building, key=key, section=section)
            if built is None:
                raise InputError("was damaged while it was made", remedy="check the disk", path=folder)
            _put_in_place(building, folder, spare=Path(name))
            return built
    except OSError as error:
        raise write_error(folder, error) from error


def _put_in_place(built: Path, folder: Path, *, spare: Path) -> None:
    """Rename `built` to `folder`, moving an older one (damaged, or another process's) into `spare`."""
    for attempt in range(10):
        with contextlib.suppress(FileNotFoundError):
            folder.rename(spare / f"old-{attempt}")
        try:
            built.rename(folder)
        except OSError:  # another process was quicker after the older one had moved
            if not folder.exists():
                raise
        else:
            return
    raise FileExistsError(17, "other processes keep replacing the cache", str(folder))


def _write_arrays(folder: Path, cases: Sequence[Case], *, key: str, section: DataSection, progress: bool) -> _Index:
    """Decode every case once. Arrays are written as streams: a full disk is then an error, not a crash."""
    described: list[CachedCase] = []
    channels: list[int] = []
    items = with_progress(cases, description="preparing cases") if progress else cases
    raw = {name: folder / f"{name}.raw" for name in ARRAYS}
    with contextlib.ExitStack() as stack:
        streams = {name: stack.enter_context(path.open("wb")) for name, path in raw.items()}
        for case in items:
            prepared = _prepare(case, section=section)
            described.append(prepared.described)
            channels.append(prepared.image.shape[0])
            streams["images"].write(prepared.image.data)
            streams["lesion_masks"].write(prepared.lesion_mask.data)
            streams["gland_masks"].write(prepared.gland_mask.data)
    count, depth, (height, width) = len(described), max(channels), section.size
    shapes: dict[str, tuple[int, ...]] = {
        "images": (count, depth, height, width),
        "lesion_masks": (count, height, width),
    }
    if any(case.has_gland for case in described):
        shapes["gland_masks"] = (count, height, width)
    planes = {name: channels if name == "images" else [1] * count for name in shapes}
    sha256 = {
        name: _write_array(
            folder / f"{name}.npy",
            _stored_planes(raw[name], planes[name], plane=height * width, depth=depth if name == "images" else 1),
            shape=shape,
        )
        for name, shape in shapes.items()
    }
    for path in raw.values():
        path.unlink()
    return _Index(
        format=FORMAT,
        key=key,
        prepared_for=_prepared_for(section),
        shapes=shapes,
        sha256=sha256,
        cases=tuple(described),
    )


def _stored_planes(raw: Path, channels: Sequence[int], *, plane: int, depth: int) -> Iterator[bytes]:
    """The bytes of one case after the other, a grey image repeated where others have colour."""
    with raw.open("rb") as stream:
        for count in channels:
            content = stream.read(count * plane)
            yield content if count == depth else content * depth


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


def _prepare(case: Case, *, section: DataSection) -> _PreparedCase:
    sample = case.load()
    image, geometry = to_network_grid(sample.image, section=section, spacing=sample.geometry.spacing)
    empty = np.zeros(section.size, np.uint8)
    lesion_mask, gland_mask = empty, empty
    if sample.lesion_mask is not None:
        instances = sample.lesion_mask
        if section.multi_mask == "first":
            instances = np.where(instances == 1, instances, np.uint8(0))
        lesion_mask = mask_to_network_grid(instances, geometry=geometry)
    if sample.gland_mask is not None:
        gland_mask = mask_to_network_grid(sample.gland_mask, geometry=geometry).astype(np.uint8)
    boxes = None
    if sample.boxes is not None:
        boxes = tuple(tuple(box_to_network_grid(box, geometry=geometry)) for box in sample.boxes)
    described = CachedCase(
        case_id=case.case_id,
        source=case.source,
        patient_id=case.patient_id,
        label=case.label,
        has_mask=sample.lesion_mask is not None,
        has_gland=sample.gland_mask is not None,
        boxes=boxes,
        geometry=geometry,
    )
    return _PreparedCase(described, *(np.ascontiguousarray(a) for a in (image, lesion_mask, gland_mask)))


def _write_index(folder: Path, index: _Index) -> None:
    content = to_mapping(index)
    write_json(folder / "index.json", {"checksum": _checksum(content), **content})


def _read_index(path: Path) -> _Index | None:
    """Read `index.json`; None if it is missing, damaged or of another format."""
    try:
        content = read_json(path)
        if not isinstance(content, dict) or content.pop("checksum", None) != _checksum(content):
            return None
        return from_mapping(_Index, content, where="index") if content["format"] == FORMAT else None
    except InputError:
        return None


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
