"""Volumes (NRRD, NIfTI, MetaImage) to arrays and back, with their place in the world, through ITK.

Arrays have the axes (slice, depth, lateral) `D H W`, the reverse of ITK's. Files come from strangers: size, spacing
and memory are checked before a voxel is decoded, a file that is cut short is refused, and whatever a decoder stumbles
over becomes one `InputError` that names the file.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.files import atomic_path
from bustle.core.types import Geometry
from bustle.io.bit_depth import to_8_bit
from bustle.io.volume_headers import REPLACE, check_complete, check_header, states_spacing

if TYPE_CHECKING:
    import SimpleITK

VOLUME_SUFFIXES = frozenset({".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd"})
"""The file name endings, in lower case, that count as volumes."""

WRITTEN_SUFFIXES = (".nrrd", ".nii", ".nii.gz", ".mha")
"""Those of them that are a single file."""

MIN_SIDE = 2
"""Fewer voxels along an axis make a picture, not a volume."""

WORKING_COPIES = 3
"""How often the voxels lie in memory at once while a file is decoded and converted."""

_IMAGE_IO = {
    "nrrd": "NrrdImageIO",
    "nhdr": "NrrdImageIO",
    "nii": "NiftiImageIO",
    "mha": "MetaImageIO",
    "mhd": "MetaImageIO",
}
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
    reader = _opened(Path(path))
    return _header(reader, Path(path))


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
    """A mask bool `D H W`: voxels that are not zero. Raises `InputError` as `read_volume` does."""
    return _decoded(Path(path))[0] != 0


def read_instance_volume(path: Path) -> NDArray[np.uint8]:
    """A mask as an instance map uint8 `D H W`: values that are exactly 1..n number its lesions, else there is one.

    Raises `InputError` as `read_mask_volume` does.
    """
    voxels, _ = _decoded(Path(path))
    values = np.unique(voxels)
    lesions = values[values != 0]
    if 0 < lesions.size < 255 and np.array_equal(lesions, np.arange(1, lesions.size + 1)):
        return voxels.astype(np.uint8)
    return (voxels != 0).astype(np.uint8)


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
    """Write `D H W` (uint8, bool as 0 and 1, or float32) compressed and atomically, at its place in the world.

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


def _opened(path: Path) -> SimpleITK.ImageFileReader:
    """A reader that has read the header of an existing file, and prints nothing."""
    import SimpleITK

    try:
        if path.stat().st_size == 0:
            raise InputError("is empty (0 bytes)", remedy=REPLACE, path=path)
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", remedy="check the path", path=path) from None
    ending = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if ending not in _IMAGE_IO or not is_volume(path):
        raise InputError("is no volume", remedy="give NRRD, NIfTI or MHA files", path=path)
    check_header(path)
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(_IMAGE_IO[ending])
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        if "spacing" in str(error) and not states_spacing(path):
            raise _no_spacing(path) from None
        raise _unreadable(path, error) from None
    return reader


def _no_spacing(path: Path) -> InputError:
    return InputError(
        "states no voxel spacing",
        remedy="write the spacing in mm into its header, or predict it with --spacing",
        path=path,
    )


def _unreadable(path: Path, error: RuntimeError) -> InputError:
    return InputError(
        f"is not a readable NRRD, NIfTI or MHA volume, or it is damaged ({_last_line(error)})",
        remedy=REPLACE,
        path=path,
    )


def _last_line(error: RuntimeError) -> str:
    """ITK's messages are long and name its own files; what happened stands last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rpartition("): ")[2][:120] if lines else "no reason given"


def _header(
    reader: SimpleITK.ImageFileReader, path: Path, *, spacing: tuple[float, ...] | None = None
) -> VolumeHeader:
    size = [*reader.GetSize()]
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
    if reader.GetNumberOfComponents() != 1:
        raise InputError(
            f"has {reader.GetNumberOfComponents()} values per voxel", remedy="save it as grey values", path=path
        )
    if spacing is None:
        lateral, depth, slice_step = reader.GetSpacing()[:3]
        spacing = (slice_step, depth, lateral)
        if not states_spacing(path) or not all(math.isfinite(step) and step > 0 for step in spacing):
            raise _no_spacing(path)
    dims = reader.GetDimension()
    direction = np.reshape(reader.GetDirection(), (dims, dims))[:3, :3]
    width, height, slices = size
    return VolumeHeader(
        size=(slices, height, width),
        spacing=spacing,
        origin=tuple(reader.GetOrigin()[:3]),
        direction=tuple(map(float, direction.ravel())),
    )


def _decoded(path: Path, *, spacing: tuple[float, ...] | None = None) -> tuple[NDArray[Any], VolumeHeader]:
    import SimpleITK

    reader = _opened(path)
    header = _header(reader, path, spacing=spacing)
    needed = math.prod(header.size) * _bytes_per_voxel(reader) * WORKING_COPIES
    available = available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"needs {needed / 1e9:.1f} GB of memory to be read, {available / 1e9:.1f} GB are free",
            remedy="close other programs, use a larger machine, or resample the volume",
            path=path,
        )
    check_complete(path, voxel_bytes=needed // WORKING_COPIES)
    try:
        image = reader.Execute()
        voxels = SimpleITK.GetArrayFromImage(image)
    except RuntimeError as error:
        raise _unreadable(path, error) from None
    return voxels.reshape(header.size), header


def _bytes_per_voxel(reader: SimpleITK.ImageFileReader) -> int:
    import SimpleITK

    name = SimpleITK.GetPixelIDValueAsString(reader.GetPixelID())
    return next((bits // 8 for bits in (64, 32, 16, 8) if str(bits) in name), 8)


def available_memory() -> int | None:
    """Bytes that can be used without swapping; None where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def _by(numbers: tuple[float, ...]) -> str:
    return " x ".join(f"{value:g}" for value in numbers)
