"""`images.json` of a run: by what each case's image is known again, whatever its file is called later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import compact_json, read_json, write_text
from bustle.core.image_sketch import ImageSketch

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class KnownImages:
    """`images` by case id."""

    format: int = FORMAT
    images: Mapping[str, ImageSketch]


def write_known_images(path: Path, images: Mapping[str, ImageSketch]) -> None:
    write_text(path, compact_json(to_mapping(KnownImages(images=images))))


def read_known_images(path: Path) -> Mapping[str, ImageSketch] | None:
    """By case id; None of a run from before images were remembered. Raises `InputError` for a damaged file."""
    if not path.exists():
        return None
    content = read_json(path)
    try:
        found = from_mapping(KnownImages, content, where=path.name)
    except InputError as error:
        raise InputError(f"is damaged ({error})", remedy="restore it, or train again", path=path) from None
    if found.format != FORMAT:
        raise InputError(f"has the format {found.format}", remedy="update bustle", path=path)
    return found.images
