"""What a training is restored from: one dictionary of tensors and plain values, without pickled code."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch

from bustle.core.errors import InputError
from bustle.core.files import atomic_path

FORMAT = 1


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write the checkpoint, replacing the older one only when it is complete on the disk.

    Raises `InputError` when the disk is full.
    """
    with atomic_path(path) as temporary, temporary.open("wb", buffering=0) as stream:
        try:
            torch.save({"format": FORMAT, **state}, stream)
        except RuntimeError as error:  # torch's own word for a failed write; the reason is behind it
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the processor; raises `InputError` for one that is damaged or of another form."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # which torch does not look at
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} is damaged")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle, OS and key errors: all mean that the file is not ours or is damaged
        raise InputError(
            f"is not a readable checkpoint ({type(error).__name__})",
            remedy="delete this fold's folder to train the fold again",
            path=path,
        ) from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(
            "is a checkpoint of another version of bustle", remedy="delete this fold's folder", path=path
        )
    return state
