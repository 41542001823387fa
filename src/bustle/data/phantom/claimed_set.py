"""The folder of a phantom set while it is written, and how an unfinished one is known.

`phantom.json` is written first and says what the set is; its tables are written last, so that a set without them is
one that was not finished.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from bustle.core.claimed_output import OutputKind, claim_folder
from bustle.core.errors import InputError
from bustle.core.files import read_json, remove_file, write_json
from bustle.core.own_names import LOCK, OwnNames

SETTINGS_FILE = "phantom.json"
LABELS, VIDEOS, BOXES = "labels.csv", "videos.csv", "boxes.csv"
PARTS = ("images", "masks", "gland")

_PICTURES = OwnNames(files=("*.png", "*.nrrd"))
PHANTOM = OutputKind(
    "data phantom",
    "a phantom set",
    OwnNames(
        files=(SETTINGS_FILE, LABELS, VIDEOS, BOXES),
        folders={**dict.fromkeys(PARTS, _PICTURES), "videos": OwnNames(folders={"*": _PICTURES})},
        signed_by=(SETTINGS_FILE,),
    ),
)


@contextlib.contextmanager
def claimed_set(out: Path, settings: Mapping[str, int]) -> Iterator[ClaimedSet]:
    """Make `out` a phantom set of these settings for the block.

    Raises `InputError` when it holds anything else, or another command is writing there.
    """
    with claim_folder(out, PHANTOM) as claim:
        marker = out / SETTINGS_FILE
        if not claim.is_empty and not marker.is_file():
            raise InputError("is not empty and holds no phantom set", remedy="choose a new or empty folder", path=out)
        if not claim.is_empty and read_json(marker) != settings:
            raise InputError("holds a phantom set made with other settings", remedy="choose another folder", path=out)
        claim.begin(clear=False)
        write_json(marker, settings)
        yield ClaimedSet(out)


class ClaimedSet:
    """A set that is being written."""

    def __init__(self, path: Path):
        self.path = path

    def reopen(self) -> None:
        """To be called before pictures are added: until its tables are written again, the set is not finished."""
        for name in (LABELS, VIDEOS, BOXES):
            remove_file(self.path / name)


def check_finished(root: Path, *, images: int) -> str | None:
    """What is to be said of a set of `images` images or volumes without its table; None of anything else.

    Raises `InputError` for one that is still written, or whose writing was ended before all images were there.
    """
    marker = root / SETTINGS_FILE
    if not marker.is_file() or (root / LABELS).is_file():
        return None
    settings = read_json(marker)
    planned = [settings[name] for name in ("cases", "volumes") if name in settings]
    if (root / LOCK).exists() or [images] < planned:
        raise InputError(
            "is a phantom set that was not finished",
            remedy="run the same `bustle data phantom` again, which goes on with it",
            path=root,
        )
    return f"a phantom set without {LABELS}: if it was not taken away, run the same `bustle data phantom` again"
