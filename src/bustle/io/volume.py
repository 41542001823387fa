"""Volumes (NRRD, NIfTI, MetaImage) to arrays and back, with their place in the world.

Arrays have the axes (slice, depth, lateral) `D H W`, the reverse of ITK's, which writes them. Files come from
strangers and are read by `volume_files`: size, spacing and memory are checked before a voxel is unpacked, and
whatever is wrong becomes one `InputError` that names the file.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.files import atomic_path
from bustle.core.memory import available_memory
from bustle.core.types import Geometry
from bustle.io.bit_depth import to_8_bit
from bustle.io.mask_levels import read_annotation, read_probabilities
from bustle.io.volume_files import VOLUME_SUFFIXES, read_stored
from bustle.io.volume_files.stored_volume import REPLACE, StoredVolume

WRITTEN_SUFFIXES = (".nrrd", ".nii", ".nii.gz", ".mha")
"""Those of them that are a single file."""

MIN_SIDE = 2
"""Fewer voxels along an axis make a picture, not a volume."""

WORKING_COPIES = 3
"""How often the voxels lie in memory at once while a file is decoded and converted."""

MAX_VOXELS = 1 << 31
"""Larger declared volumes are refused: the largest of 3D ultrasound have a tenth of it."""

SPACING_MM = (1e-4, 1e3)
"""Steps between voxels outside of this range are mistakes."""

_SAME_PLACE = 1e-3
"""By how much spacing (relative) and directions may differ between two files of one grid: NIfTI keeps 7 digits."""

_SAME_ORIGIN = 0.1
"""By how much origins may differ, in voxels."""


class VolumeHeader(NamedTuple):
    """What a file says of its voxels before any is decoded; see `Geometry` for the fields."""

    size: tuple[int, int, int]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]

    def geometry(self) -> Geometry:
        return Geometry(self.size, spacing=self.spacing, origin=self.origin, direction=self.direction)


def is_volume(path: Path) -> bool:
    """Whether the name ends as a volume's."""
    return path.name.lower().endswith(tuple(VOLUME_SUFFIXES))


def volume_stem(path: Path) -> str:
    """The name without its ending, which may be a double one."""
    return path.name[: -len(".nii.gz")] if path.name.lower().endswith(".nii.gz") else path.stem


def read_header(path: Path) -> VolumeHeader:
    """Size, spacing and place of a volume.

    Raises `InputError` for a file that is missing, empty or no volume, has more than three axes or several values
    per voxel, or states no positive spacing.
    """
    return _header(read_stored(Path(path)))


def read_volume(path: Path, *, spacing: tuple[float, ...] | None = None) -> tuple[NDArray[np.uint8], Geometry]:
    """Intensities uint8 `D H W` and their place; deeper values are scaled as those of images (`to_8_bit`).

    `spacing` (mm, in the axes' order) takes the place of what the header says, or does not say. Raises `InputError`
    as `read_header` does, for a file that is cut short or damaged, for other values, and for more voxels than the
    free memory holds.
    """
    path = Path(path)
    voxels, header = _decoded(path, spacing=spacing)
    return to_8_bit(voxels, path=path), header.geometry()


def read_mask_volume(path: Path) -> NDArray[np.bool_]:
    """A mask bool `D H W`; what its values mean says `read_annotation`. Raises `InputError` as `read_volume` does."""
    return read_annotation(_decoded(Path(path))[0], path=path).mask


def read_predicted_volume(path: Path) -> NDArray[np.bool_]:
    """As `read_mask_volume`, but other values are probabilities and belong from 0.5 (`read_probabilities`)."""
    return read_probabilities(_decoded(Path(path))[0], path=path).mask


def read_instance_volume(path: Path) -> NDArray[np.uint8]:
    """A mask as an instance map uint8 `D H W`: values that are exactly 1..n number its lesions, else there is one.

    Raises `InputError` as `read_mask_volume` does.
    """
    voxels, _ = _decoded(Path(path))
    reading = read_annotation(voxels, path=path)
    return voxels.astype(np.uint8) if reading.numbered else reading.mask.astype(np.uint8)


def is_grey_mask_volume(path: Path) -> bool:
    """Whether `read_mask_volume` had to cut the mask's values, which is worth a finding."""
    return read_annotation(_decoded(Path(path))[0], path=path).cut


def read_numbers_volume(path: Path) -> NDArray[np.uint8]:
    """A map of whole numbers 0..255 `D H W` as it is stored. Raises `InputError` as `read_volume` does."""
    voxels, _ = _decoded(Path(path))
    if voxels.min() < 0 or voxels.max() > 255 or not (voxels == np.rint(voxels)).all():
        raise InputError("holds other values than whole numbers of 0 to 255", remedy=REPLACE, path=path)
    return voxels.astype(np.uint8)


def check_same_grid(path: Path, *, like: Geometry) -> None:
    """Raises `InputError` unless a volume has the grid `like`: the same voxels at the same place in the world."""
    header = read_header(path)
    if header.size != like.original_size:
        problem = f"is {_by(header.size)} voxels, its volume {_by(like.original_size)}"
    elif like.spacing is not None and not np.allclose(header.spacing, like.spacing, rtol=_SAME_PLACE, atol=0):
        problem = f"has a spacing of {_by(header.spacing)} mm, its volume {_by(like.spacing)} mm"
    elif like.direction is not None and not np.allclose(header.direction, like.direction, atol=_SAME_PLACE):
        problem = "lies in another direction than its volume"
    elif like.origin is not None and not np.allclose(
        header.origin, like.origin, atol=_SAME_ORIGIN * min(header.spacing), rtol=0
    ):
        problem = "lies at another place than its volume"
    else:
        return
    raise InputError(problem, remedy="resample the mask onto the volume's grid", path=path)


def write_volume(path: Path, voxels: NDArray[Any], *, geometry: Geometry) -> None:
    """Write `D H W` (uint8, uint16, bool as 0 and 1, float32) compressed and atomically, at its place in the world.

    The ending of `path` is one of `WRITTEN_SUFFIXES`. NIfTI keeps the place in single precision. Raises
    `InputError` where it cannot be written.
    """
    import SimpleITK

    path = Path(path)
    if not path.name.endswith(WRITTEN_SUFFIXES):
        raise ValueError(f"a volume is not written as {path.name}")
    image = SimpleITK.GetImageFromArray(voxels.astype(np.uint8) if voxels.dtype == np.bool_ else voxels)
    image.SetSpacing([float(step) for step in reversed(geometry.spacing or (1.0, 1.0, 1.0))])
    if geometry.origin is not None:
        image.SetOrigin(geometry.origin)
    if geometry.direction is not None:
        image.SetDirection(geometry.direction)
    with atomic_path(path) as temporary:
        try:
            SimpleITK.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as error:
            raise InputError(
                f"cannot be written ({_last_line(error)})", remedy="check the disk and the path", path=path
            ) from None


def _last_line(error: RuntimeError) -> str:
    """ITK's messages are long and name its own files; what happened stands last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rpartition("): ")[2][:120] if lines else "no reason given"


def _header(stored: StoredVolume, *, spacing: tuple[float, ...] | None = None) -> VolumeHeader:
    path, size = stored.path, [*stored.sizes]
    while len(size) > 3 and size[-1] == 1:
        size.pop()
    if len(size) < 3 or min(size[:3]) < MIN_SIDE:
        raise InputError(
            f"is an image of {' x '.join(map(str, reversed(size)))} voxels, not a volume",
            remedy="give a volume with several slices",
            path=path,
        )
    if len(size) > 3:
        raise InputError(
            f"has {len(size)} axes ({' x '.join(map(str, reversed(size)))})",
            remedy="save one volume per file",
            path=path,
        )
    if stored.values != 1:
        raise InputError(f"has {stored.values} values per voxel", remedy="save it as grey values", path=path)
    if math.prod(size) > MAX_VOXELS:
        raise InputError(
            f"declares {' x '.join(map(str, reversed(size)))} voxels, at most {MAX_VOXELS // 10**9} thousand million "
            "are read",
            remedy="check the file; resample the volume if it is real",
            path=path,
        )
    if spacing is None:
        spacing = _stated_spacing(stored)
    width, height, slices = size
    return VolumeHeader(
        size=(slices, height, width), spacing=spacing, origin=stored.origin, direction=stored.direction
    )


def _stated_spacing(stored: StoredVolume) -> tuple[float, ...]:
    steps = () if stored.spacing is None else tuple(reversed(stored.spacing[:3]))
    if not steps or not all(math.isfinite(step) and step > 0 for step in steps):
        raise InputError(
            "states no voxel spacing",
            remedy="write the spacing in mm into its header, or predict it with --spacing",
            path=stored.path,
        )
    least, most = SPACING_MM
    if not all(least <= step <= most for step in steps):
        raise InputError(
            f"states a voxel spacing of {_by(steps)} mm",
            remedy="correct it in the header, or predict it with --spacing",
            path=stored.path,
        )
    return steps


def _decoded(path: Path, *, spacing: tuple[float, ...] | None = None) -> tuple[NDArray[Any], VolumeHeader]:
    stored = read_stored(path)
    header = _header(stored, spacing=spacing)
    needed = stored.decoded_bytes * WORKING_COPIES
    available = available_memory()
    if available is not None and needed > available:
        raise _too_little_memory(
            path, f"{needed / 1e9:.1f} GB of memory to be read, {available / 1e9:.1f} GB are free"
        )
    try:
        return stored.read().reshape(header.size), header
    except MemoryError:
        raise _too_little_memory(path, "more memory to be read than there is") from None


def _too_little_memory(path: Path, needed: str) -> InputError:
    return InputError(
        f"needs {needed}", remedy="close other programs, use a larger machine, or resample the volume", path=path
    )


def _by(numbers: tuple[float, ...]) -> str:
    return " x ".join(f"{value:g}" for value in numbers)
