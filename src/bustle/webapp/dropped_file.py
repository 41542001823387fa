"""What is in a dropped file: one image, clip or volume, or all that an archive holds in whatever folders."""

from __future__ import annotations

import glob
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from bustle.core.errors import InputError
from bustle.core.progress import heard_by
from bustle.data.archives import is_archive, unpacked
from bustle.inference.inputs import InputImage, find_images
from bustle.reading.picking import Picked, pick
from bustle.webapp.data_folder import unpacked_beside
from bustle.webapp.tables import Case, DroppedFile


def is_spent(session: Session, file: DroppedFile) -> bool:
    """Whether all that is in a file has been read, and no case of it is left."""
    left = session.scalar(select(Case.id).where(Case.file_id == file.id).limit(1))
    return left is None and file.expected == len(file.deleted)


def pick_dropped(path: Path, *, hear: Callable[[str], None]) -> Picked:
    """Its pictures and clips; `hear` is told what was noticed. Raises `InputError` where there are none.

    A file that is no image by its content is one that cannot be read, unless it lies in an archive beside others.
    """
    if not is_archive(path):
        with heard_by(hear):
            return pick([str(path)])
    inside = _unpacked(path)
    with heard_by(hear):
        try:
            return pick([inside])
        except InputError:
            raise InputError("the archive holds no images", remedy="pack images, clips or DICOM files") from None


def dropped_image(path: Path, name: str) -> InputImage:
    """The picture of this name in a dropped file, which may be a frame of a clip.

    Raises `InputError` where it is not there any more.
    """
    with heard_by(lambda text: None):
        found = find_images([_unpacked(path) if is_archive(path) else str(path)])
    image = next((image for image in found if image.name == name), None)
    if image is None:
        raise InputError("the dropped file does not hold it any more", remedy="drop it again", path=path)
    return image


def _unpacked(archive: Path) -> str:
    """A pattern of all that is in an archive, in whatever folders."""
    with heard_by(lambda text: None):
        folder = unpacked(archive, root=unpacked_beside(archive))
    return f"{glob.escape(str(folder))}/**/*"
