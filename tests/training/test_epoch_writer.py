"""What is written beside a training, and how often."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bustle.core.errors import InputError
from bustle.core.run_layout import TrainingFolder
from bustle.models.weight_file import read_metadata, read_weights
from bustle.training import epoch_writer
from bustle.training.checkpoint import Checkpoint, read_checkpoint
from bustle.training.epoch_writer import EpochWriter
from bustle.training.selection import SelectionState


def made(epoch: int, *, tensor: Tensor | None = None) -> Checkpoint:
    """Of a network of one tensor, whose best epoch is the last."""
    empty: dict[str, Any] = {"average": None, "loss": {}, "optimizer": {}, "precision": {}, "random_state": {}}
    history = tuple({"epoch": number + 1, "train_loss": 0.5, "seconds": 0.25} for number in range(epoch))
    network = {"tensor": torch.arange(1000.0) if tensor is None else tensor}
    selection = SelectionState(0.5, epoch, epoch)
    return Checkpoint(**empty, network=network, finished=False, epoch=epoch, history=history, selection=selection)


@pytest.fixture
def files(tmp_path: Path) -> TrainingFolder:
    return TrainingFolder(tmp_path)


def test_an_epoch_is_written_beside_the_training_as_it_was_when_it_was_handed_over(
    files: TrainingFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EpochWriter(files) as writer:
        writer.write(made(1), weights=None)
        assert read_checkpoint(files.checkpoint).epoch == 1  # the first one is waited for
        assert not files.weights.exists()
        may_write, write = threading.Event(), epoch_writer.write_checkpoint

        def slow(path: Path, checkpoint: Checkpoint) -> None:
            assert may_write.wait(60)
            write(path, checkpoint)

        monkeypatch.setattr(epoch_writer, "write_checkpoint", slow)
        tensor = torch.rand(1000)
        before = tensor.clone()
        writer.write(made(2, tensor=tensor), weights={"tensor": tensor})
        tensor.zero_()  # the training goes on
        assert read_checkpoint(files.checkpoint).epoch == 1
        may_write.set()
    assert torch.equal(read_checkpoint(files.checkpoint).network["tensor"], before)
    assert torch.equal(read_weights(files.weights)["tensor"], before)
    assert read_metadata(files.weights)["epoch"] == "2"


def test_what_writing_beside_the_training_raises_is_raised_there_once(
    files: TrainingFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, checkpoint: Checkpoint) -> None:
        raise InputError("no space left on the disk", remedy="free some", path=path)

    with EpochWriter(files) as writer:
        writer.write(made(1), weights=None)
        monkeypatch.setattr(epoch_writer, "write_checkpoint", full)
        writer.write(made(2), weights=None)
        with pytest.raises(InputError, match="no space left"):
            writer.write(made(3), weights=None)
    with pytest.raises(InputError, match="no space left"), EpochWriter(files) as writer:
        writer.write(made(1), weights=None)


def test_a_large_checkpoint_is_due_when_a_tenth_of_the_time_went_into_it(
    files: TrainingFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    write = epoch_writer.write_checkpoint

    def takes_two_seconds(path: Path, checkpoint: Checkpoint) -> None:
        write(path, checkpoint)
        now[0] += 2

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(epoch_writer, "write_checkpoint", takes_two_seconds)
    with EpochWriter(files) as writer:
        assert writer.due
        writer.write(made(1), weights=None)
        assert writer.due  # a small one always is
        monkeypatch.setattr(epoch_writer, "LARGE", 1)
        assert not writer.due
        now[0] = 119.9
        assert not writer.due
        now[0] = 120
        assert writer.due

        may_write = threading.Event()
        monkeypatch.setattr(epoch_writer, "write_checkpoint", lambda path, checkpoint: may_write.wait(60))
        writer.write(made(2), weights=None)
        now[0] = 1000
        assert not writer.due  # while it is written
        may_write.set()
