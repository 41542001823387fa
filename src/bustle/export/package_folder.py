"""A package's folder, or its zip, that appears at once and whole."""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.files import atomic_path, write_error
from bustle.core.temporaries import temporary_affixes


def refuse_existing(out: Path) -> None:
    """Raises `InputError` where something has the package's name."""
    if out.exists():
        raise InputError("exists already", remedy="choose another --out, or remove it", path=out)


@contextlib.contextmanager
def new_package(out: Path) -> Iterator[Path]:
    """Yield an empty folder, which becomes `out`, a zip if it ends so, only when the block succeeds."""
    try:
        prefix, suffix = temporary_affixes(out.name)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=prefix, suffix=suffix) as temporary:
            folder = Path(temporary) / "package"
            folder.mkdir()
            yield folder
            if out.suffix.lower() == ".zip":
                with atomic_path(out) as archive:
                    _zip(folder, archive)
            else:
                folder.rename(out)
    except OSError as error:
        raise write_error(out, error) from error


def _zip(folder: Path, archive: Path) -> None:
    """Without compression: weights do not shrink, and a plain copy opens faster."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as writing:
        for path in sorted(folder.iterdir()):
            writing.write(path, path.name)
