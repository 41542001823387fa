"""Writes what a training leaves of an epoch while the next one runs: a fast device need not wait for the disk."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent import futures
from dataclasses import fields, replace
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from bustle.core.run_layout import TrainingFolder
from bustle.models.weight_file import write_weights
from bustle.training.checkpoint import Checkpoint, LearnerState, write_checkpoint

LARGE = 2**28
"""Bytes of a checkpoint, up to which every epoch is written."""
REST = 10
"""How many times as long as it takes to write, from one beginning to the next, where checkpoints are large."""


class EpochWriter:
    """Writes the best weights so far and then the checkpoint, one epoch at a time, in a thread beside the training.

    The first epoch is waited for, so that no later one is told of in a folder without a checkpoint. At the end of its
    block the last one is on the disk, however the block ends.
    """

    def __init__(self, files: TrainingFolder):
        self.files = files
        self._thread = futures.ThreadPoolExecutor(1)
        self._running: futures.Future[float] | None = None
        self._begun = 0.0
        self._seconds: float | None = None

    @property
    def due(self) -> bool:
        """Whether this epoch is to be written, unless it is the last one, which always is.

        Large checkpoints are written only so often that a tenth of the time goes into it.
        """
        if self._seconds is None or self.files.checkpoint.stat().st_size < LARGE:
            return True
        if self._running is not None and not self._running.done():
            return False
        self.wait()
        return time.monotonic() - self._begun >= REST * self._seconds

    def write(self, checkpoint: Checkpoint, *, weights: Mapping[str, Tensor] | None) -> None:
        """Begin to write a copy of the state as it is now, in the processor's memory. See `wait`.

        `weights` are those of the best epoch, None where they are on the disk already.
        """
        self.wait()
        self._begun = time.monotonic()
        state = {each.name: _copied(getattr(checkpoint, each.name)) for each in fields(LearnerState)}
        self._running = self._thread.submit(self._write, replace(checkpoint, **state), _copied(weights))
        if self._seconds is None:
            self.wait()

    def _write(self, checkpoint: Checkpoint, weights: Mapping[str, Tensor] | None) -> float:
        if weights is not None:
            epoch = str(checkpoint.selection.best_epoch)
            write_weights(self.files.weights, weights, metadata={"epoch": epoch})
        write_checkpoint(self.files.checkpoint, checkpoint)
        return time.monotonic() - self._begun

    def wait(self) -> None:
        """Until the last one is on the disk. Raises what writing it raised, `InputError` where the disk is full."""
        if self._running is not None:
            futures.wait([self._running])  # interrupted here, it is still waited for at the end
            written, self._running = self._running, None
            self._seconds = written.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        self.wait()


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_copied, value))
    return value
