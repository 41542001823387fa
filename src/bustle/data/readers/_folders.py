"""Finding the files of a data set on disk."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.printable import printable
from bustle.io.names import normal_form
from bustle.io.raster import RASTER_SUFFIXES
from bustle.io.volume import is_volume, volume_stem


def data_folder(path: Path | None, *, reader: str) -> Path:
    """The path of a data spec, which must be a folder."""
    if path is None:
        raise InputError(f"the reader {reader} needs a folder", remedy=f"write {reader}:FOLDER")
    if not path.is_dir():
        raise InputError(
            "is not a folder", remedy=f"give the folder of the unpacked data set to {reader}:", path=path
        )
    return path


def subfolder(root: Path, name: str, *, reader: str) -> Path:
    """The folder `root/name`, which must exist."""
    folder = root / name
    if not folder.is_dir():
        raise InputError(
            f"has no folder {name}/",
            remedy=f"give what {reader}: reads as it was unpacked, or leave '{reader}:' out for another layout",
            path=root,
        )
    return folder


def image_files(folder: Path) -> list[Path]:
    """The raster images directly in `folder`, hidden ones left out, in natural order ("2" before "10")."""
    files = (p for p in folder.iterdir() if p.suffix.lower() in RASTER_SUFFIXES and not p.name.startswith("."))
    return sorted(files, key=lambda path: natural_key(path.name))


def image_or_volume_files(folder: Path) -> list[Path]:
    """As `image_files`, with the volumes in between."""
    volumes = [path for path in folder.iterdir() if is_volume(path) and not path.name.startswith(".")]
    return sorted([*image_files(folder), *volumes], key=lambda path: natural_key(path.name))


def folders_with_images(root: Path, *, besides: Iterable[str]) -> list[Path]:
    """The folders directly in `root` that hold images and that a reader does not look into, hidden ones left out."""
    known = set(besides)
    folders = (entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))
    unread = [folder for folder in folders if folder.name not in known and image_or_volume_files(folder)]
    return sorted(unread, key=lambda folder: natural_key(folder.name))


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """A sort key that compares runs of digits as numbers."""
    parts = re.findall(r"\d+|\D+", text)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def by_stem(files: Iterable[Path]) -> dict[str, Path]:
    """Files by name without ending, in one normal form; two that differ only in the ending raise `InputError`."""
    found: dict[str, Path] = {}
    for file in files:
        other = found.setdefault(normal_form(volume_stem(file)), file)
        if other is not file:
            raise InputError(
                f"'{other.name}' and '{file.name}' would have the same case id",
                remedy="rename or remove one of them",
                path=file.parent,
            )
    return found


def no_images(folder: Path, *, reader: str) -> InputError:
    return InputError(
        "holds no images", remedy=f"check that it is the folder that {reader}: expects, and unpacked", path=folder
    )


def named(files: Iterable[Path | str], *, shown: int = 5) -> str:
    """File names for a message, the first few of many."""
    names = [printable(file.name if isinstance(file, Path) else file) for file in files]
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
