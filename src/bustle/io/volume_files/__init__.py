"""Volume files (NRRD, NIfTI, MetaImage) from strangers, read here and by no library.

The usual C++ readers crash on long lines, give memory that nobody wrote where a header claims more than the file
holds, and open whatever path a header names. Here a header is taken apart strictly, names of other files are plain
and lie beside it, and voxels are unpacked up to the size that the header declares and no further.
"""

from __future__ import annotations

from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.files import check_regular
from bustle.io.foreign_formats import RECOGNISED_WITHIN, format_of
from bustle.io.volume_files import metaimage, nifti, nrrd
from bustle.io.volume_files.stored_volume import REPLACE, StoredVolume

_READERS = {
    ".nrrd": nrrd.read_stored,
    ".nhdr": nrrd.read_stored,
    ".nii": nifti.read_stored,
    ".nii.gz": nifti.read_stored,
    ".mha": metaimage.read_stored,
    ".mhd": metaimage.read_stored,
}

_OWN_FORMATS = {
    ".nrrd": "an NRRD volume",
    ".nhdr": "an NRRD volume",
    ".nii": "a NIfTI volume",
    ".nii.gz": "a gzip archive",
    ".mha": "a MetaImage volume",
    ".mhd": "a MetaImage volume",
}
"""What `format_of` calls them."""

VOLUME_SUFFIXES = frozenset(_READERS)
"""The file name endings, in lower case, that count as volumes."""


def read_stored(path: Path) -> StoredVolume:
    """What the file says of itself; no voxel is read.

    Raises `InputError` for a file that is missing, empty, no regular file, of another format than its name says, or
    whose header is damaged or cut short.
    """
    name = path.name.lower()
    suffix = next((suffix for suffix in sorted(_READERS, key=len) if name.endswith(suffix)), None)
    try:
        if check_regular(path).st_size == 0:
            raise InputError("is empty (0 bytes)", remedy=REPLACE, path=path)
        if suffix is None:
            raise InputError("is no volume", remedy="give NRRD, NIfTI or MHA files", path=path)
        with path.open("rb") as stream:
            found = format_of(stream.read(RECOGNISED_WITHIN))
        if found not in (None, _OWN_FORMATS[suffix]):
            raise InputError(
                f"is not a readable NRRD, NIfTI or MHA volume but {found}",
                remedy="name it as what it is, or restore the file from its source",
                path=path,
            )
        return _READERS[suffix](path)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", remedy="check the path", path=path) from None


def detached_files(path: Path) -> tuple[Path, ...]:
    """The further files that hold the voxels of `path`; none where its header cannot be read, which reading tells."""
    try:
        return read_stored(path).detached
    except InputError:
        return ()
