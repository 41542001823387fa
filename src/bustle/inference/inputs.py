"""From the words of a command line (files, folders, globs) to images and volumes with a name each."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.paths import given_path
from bustle.io.raster import RASTER_SUFFIXES
from bustle.io.volume import VOLUME_SUFFIXES, is_volume, volume_stem

MASK_OF = re.compile(r"_(mask|tumor|other)(_?\d+)?$")
"""What follows an image's stem in the name of a mask that lies beside it."""


@dataclass(frozen=True)
class InputImage:
    """An image or volume file and the name of the folder that its prediction goes to."""

    path: Path
    name: str


def find_images(inputs: Sequence[str]) -> tuple[InputImage, ...]:
    """List image and volume files in the given order, each once; folders stand for those directly inside.

    A name is the file's stem, with the parent folder's name before it where stems collide. A file that is named
    itself may have any suffix. Raises `InputError` for a path that does not exist and for an input without images.
    """
    files: dict[Path, Path] = {}
    for text in inputs:
        for path in _expand(text):
            files.setdefault(Path(os.path.realpath(path)), path)  # which bears links in a circle
    names = _names(list(files))
    return tuple(InputImage(path, name) for path, name in zip(files.values(), names, strict=True))


def _expand(text: str) -> list[Path]:
    path = given_path(text)
    if os.path.lexists(path) and not path.is_dir():
        return [path]
    if path.is_dir():
        found = _images_in(path)
        if not found:
            raise InputError(
                "holds no images",
                remedy=f"give a folder with {', '.join(sorted(RASTER_SUFFIXES | VOLUME_SUFFIXES))} directly inside",
                path=path,
            )
        return found
    if glob.has_magic(str(path)):
        found = glob.glob(str(path), recursive=True)  # noqa: PTH207  (Path.glob refuses absolute patterns)
        matches = [Path(match) for match in sorted(found)]
        images = [match for match in matches if _is_image(match) and not match.is_dir()]
        if not images:
            raise InputError(f"no image matches '{text}'", remedy="check the pattern")
        return images
    raise InputError("does not exist", remedy="check the path", path=path)


def _images_in(folder: Path) -> list[Path]:
    """The images of a folder; the masks that BUSI and BrEaST keep beside their image are no images.

    Broken links, pipes and devices are among them: reading them says what they are.
    """
    found = sorted(
        path for path in folder.iterdir() if _is_image(path) and not path.name.startswith(".") and not path.is_dir()
    )
    stems = {volume_stem(path) for path in found}
    return [path for path in found if MASK_OF.sub("", volume_stem(path)) not in stems - {volume_stem(path)}]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in RASTER_SUFFIXES or is_volume(path)


def _names(paths: Sequence[Path]) -> list[str]:
    """Unique names: each path takes the shortest of its candidates that nobody else's same choice equals."""
    choices = [_candidates(path) for path in paths]
    names = [next(choice) for choice in choices]
    while True:
        times = Counter(name.casefold() for name in names)  # some file systems ignore case
        clashing = [i for i, name in enumerate(names) if times[name.casefold()] > 1]
        if not clashing:
            return names
        for i in clashing:
            names[i] = next(choices[i], f"{names[i]}-{i}")


def _candidates(path: Path) -> Iterator[str]:
    yield volume_stem(path)
    parents = [parent.name for parent in path.parents if parent.name]
    for depth in range(1, len(parents) + 1):
        folders = list(reversed(parents[:depth]))
        yield "-".join([*folders, volume_stem(path)])
        yield "-".join([*folders, path.name])
