"""From the words of a command line (files, folders, archives, globs) to images, volumes and videos."""

from __future__ import annotations

import glob
import hashlib
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.core.errors import InputError
from bustle.core.folder_names import portable_name, without_case
from bustle.core.paths import given_path
from bustle.core.progress import announce
from bustle.data.archives import is_archive, remove_abandoned_studies, unpacked
from bustle.io.dicom.recognition import DICOMDIR, dicom_files, is_meant_as_dicom
from bustle.io.raster import RASTER_SUFFIXES
from bustle.io.video import is_video
from bustle.io.volume import is_volume, volume_stem

if TYPE_CHECKING:
    from bustle.io.dicom.pictures import DicomPicture

MASK_OF = re.compile(r"_(mask|tumor|other)(_?\d+|\s*\(\d+\))?$")
"""What follows an image's stem in the name of a mask that lies beside it."""


@dataclass(frozen=True)
class InputImage:
    """An image, volume or video file and the name of the folder that its prediction goes to.

    `dicom` is the picture of a DICOM file, which may hold several. `problem` says why the file cannot be read, where
    that is known already.
    """

    path: Path
    name: str
    dicom: DicomPicture | None = None
    problem: InputError | None = None


def find_images(inputs: Sequence[str]) -> tuple[InputImage, ...]:
    """List image, volume and video files in the given order, each once; folders stand for those directly inside.

    DICOM files are known by their content and found in the folders below too; each frame and field of one is an
    image, whose name is made of its identifier, because a file's may be a patient's. A ZIP archive is unpacked and
    stands for all its folders. Another name is the file's stem in its portable form, with the parent folder's name
    before it where stems collide; a link has its own, and its target counts once. A file that is named itself may
    have any suffix. Raises `InputError` for a path that does not exist and for an input without images.
    """
    remove_abandoned_studies()
    files: dict[Path, Path] = {}
    for text in inputs:
        for path in _expand(text):
            files.setdefault(Path(os.path.realpath(path)), path)  # which bears links in a circle
    dicom = [path for path in files.values() if is_meant_as_dicom(path)]
    others = [path for path in files.values() if path not in set(dicom)]
    images = [InputImage(path, name) for path, name in zip(others, _names(others), strict=True)]
    return (*images, *_dicom_images(dicom))


def spacing_per_axis(spacing: tuple[float, ...], *, dims: int, path: Path | None = None) -> tuple[float, ...]:
    """One number for all axes, or one for each. Raises `InputError` for another count."""
    if len(spacing) not in (1, dims):
        raise InputError(
            f"has {dims} axes, --spacing {len(spacing)} numbers",
            remedy="give one number, or row and column of an image, slice, row and column of a volume",
            path=path,
        )
    return spacing * dims if len(spacing) == 1 else spacing


def _dicom_images(paths: Sequence[Path]) -> Iterator[InputImage]:
    """The pictures of DICOM files, and one stand-in for each that cannot be read."""
    if not paths:
        return
    from bustle.io.dicom.pictures import pictures_of, read_study

    for path, found in read_study(paths):
        if isinstance(found, InputError):
            digits = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
            yield InputImage(path, f"unreadable-{digits}", problem=found)
        elif found is not None:
            for remark in found.remarks:
                announce(f"bustle: warning: {path}: {remark}")
            yield from (InputImage(path, picture.name, picture) for picture in pictures_of(found))


def _expand(text: str) -> list[Path]:
    path = given_path(text)
    if is_archive(path):
        return _found_in(path, _folders_below(unpacked(path)))
    if path.name.upper() == DICOMDIR and path.is_file():
        path = path.parent
    if os.path.lexists(path) and not path.is_dir():
        return [path]
    if path.is_dir():
        return _found_in(path, [path])
    if glob.has_magic(str(path)):
        found = glob.glob(str(path), recursive=True)  # noqa: PTH207  (Path.glob refuses absolute patterns)
        matches = [Path(match) for match in sorted(found)]
        images = [match for match in matches if not match.is_dir() and (_is_image(match) or is_meant_as_dicom(match))]
        if not images:
            raise InputError(f"no image matches '{text}'", remedy="check the pattern")
        return images
    raise InputError("does not exist", remedy="check the path", path=path)


def _found_in(given: Path, folders: Sequence[Path]) -> list[Path]:
    """The images of the folders, and the DICOM files in the first, which holds the others.

    Raises `InputError` about what was `given` where there are none.
    """
    images = [image for folder in folders for image in _images_in(folder)]
    found = list(dict.fromkeys([*images, *dicom_files(folders[0])]))
    for folder in folders:
        _tell_passed_over(folder, found)
    if not found:
        remedy = "give an archive of images, volumes, videos or DICOM files"
        if given.is_dir():
            below = f"'{glob.escape(str(given))}/**/*.png'"
            remedy = f"give a folder with images directly inside, or a pattern for those below, as {below}"
        raise InputError("holds no images", remedy=remedy, path=given)
    return found


def _folders_below(folder: Path) -> list[Path]:
    """The folder and all below it, by their paths."""
    return sorted(Path(place) for place, _, _ in os.walk(folder) if not _is_hidden(Path(place), folder))


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _images_in(folder: Path) -> list[Path]:
    """The images of a folder; the masks that BUSI and BrEaST keep beside their image are no images.

    Broken links, pipes and devices are among them: reading them says what they are.
    """
    found = sorted(
        path for path in folder.iterdir() if _is_image(path) and not path.name.startswith(".") and not path.is_dir()
    )
    stems = {volume_stem(path) for path in found}
    return [path for path in found if MASK_OF.sub("", volume_stem(path)) not in stems - {volume_stem(path)}]


def _tell_passed_over(folder: Path, images: Sequence[Path]) -> None:
    """One line on the files of a folder that are not taken for images, counted by kind."""
    taken = set(images)
    kinds = Counter(
        "mask" if _is_image(path) else path.suffix.lower() or "without ending"
        for path in sorted(folder.iterdir())
        if path not in taken and not path.name.startswith(".") and not path.is_dir()
    )
    if kinds:
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        announce(f"bustle: {folder}: {sum(kinds.values())} files are passed over: {counts}")


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in RASTER_SUFFIXES or is_volume(path) or is_video(path)


def _names(paths: Sequence[Path]) -> list[str]:
    """Unique names: each path takes the shortest of its candidates that nobody else's same choice equals.

    The folders in a name are the innermost one that all paths share, and those below it: where a person keeps the
    data is left out.
    """
    full = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100  (a link keeps its own name)
    levels = zip(*(path.parts[:-1] for path in full), strict=False)
    shared = len(list(itertools.takewhile(lambda folders: len(set(folders)) == 1, levels)))
    choices = [_candidates(path, folders=path.parts[max(1, shared - 1) : -1]) for path in full]
    names = [portable_name(next(choice)) for choice in choices]
    while True:
        of_name: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            of_name.setdefault(without_case(name), []).append(i)
        clashing = [i for same in of_name.values() if len(same) > 1 for i in same]
        if not clashing:
            return names
        for i in clashing:
            names[i] = portable_name(next(choices[i]))


def _candidates(path: Path, *, folders: Sequence[str]) -> Iterator[str]:
    """The stem; with more and more of its folders before it, the stem and the whole name; at last with a number."""
    stem = volume_stem(path)
    yield stem
    for first in reversed(range(len(folders))):
        yield "-".join([*folders[first:], stem])
        yield "-".join([*folders[first:], path.name])
    unlike = hashlib.sha256(path.name.encode(errors="surrogateescape")).hexdigest()[:6]
    yield f"{stem}-{unlike}"
    for number in itertools.count(2):
        yield f"{stem}-{unlike}-{number}"
