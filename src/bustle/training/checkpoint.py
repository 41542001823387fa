"""What a training is restored from: tensors and plain values, without pickled code."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bustle.core.config import from_mapping
from bustle.core.errors import InputError
from bustle.core.files import atomic_path, read_error
from bustle.core.learning_curve import LearningCurve, check_learning_curve
from bustle.training.selection import SelectionState

FORMAT = 1

StateDict = Mapping[str, Any]
"""What a part of PyTorch (or of a training) gives as its state and takes again; only that part knows the form."""


@dataclass(frozen=True, kw_only=True)
class LearnerState:
    """The state of everything in a `Learner` that learns; `average` is None where no average of weights is kept."""

    network: Mapping[str, torch.Tensor]
    average: StateDict | None
    loss: StateDict
    optimizer: StateDict
    precision: StateDict


@dataclass(frozen=True, kw_only=True)
class Checkpoint(LearnerState):
    """A training after `epoch` epochs, each a row of `history`; `finished` where it will learn no further."""

    finished: bool
    epoch: int
    selection: SelectionState
    random_state: StateDict
    history: LearningCurve

    def __post_init__(self) -> None:
        check_learning_curve(self.history)
        if not len(self.history) == self.epoch == self.selection.epoch >= self.selection.best_epoch >= 1:
            raise ValueError("its numbers of epochs contradict each other")


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint, replacing the older one only when it is complete on the disk.

    Raises `InputError` when the disk is full.
    """
    content = {"format": FORMAT, **vars(checkpoint), "selection": vars(checkpoint.selection)}
    with atomic_path(path) as temporary, temporary.open("wb", buffering=0) as stream:
        try:
            torch.save(content, stream)
        except RuntimeError as error:  # torch's own word for a failed write; the reason is behind it
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the processor; raises `InputError` for one that is damaged or of another form."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # which torch does not look at
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} is damaged")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise read_error(path, error) from None
    except Exception as error:  # zip, pickle and key errors: all mean that the file is not ours or is damaged
        raise _unusable(f"is not a readable checkpoint ({type(error).__name__})", path) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError("is a checkpoint of another version of bustle", remedy="go on with that version", path=path)
    try:
        return from_mapping(
            Checkpoint, {key: value for key, value in content.items() if key != "format"}, where=path.name
        )
    except InputError as error:
        raise _unusable(f"is not the checkpoint of a training ({error})", path) from None


def other_training(path: Path, reason: str) -> InputError:
    """The error for a checkpoint whose states do not fit the network, the loss or the optimiser."""
    return _unusable(f"is the checkpoint of another training ({reason})", path)


def _unusable(problem: str, path: Path) -> InputError:
    remedy = "restore it; where that is not possible, move this fold's folder away to train the fold again"
    return InputError(problem, remedy=remedy, path=path)
