"""Writes the checkpoints of a training while its next epoch is running: a fast device need not wait for the disk."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent import futures
from dataclasses import fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from bustle.training.checkpoint import Checkpoint, LearnerState, write_checkpoint


class CheckpointWriter:
    """Writes checkpoints to `path`, one at a time, in a thread beside the training.

    At the end of its block the last one is on the disk, however the block ends.
    """

    def __init__(self, path: Path):
        self.path = path
        self._thread = futures.ThreadPoolExecutor(1)
        self._running: futures.Future[None] | None = None

    def write(self, checkpoint: Checkpoint) -> None:
        """Begin to write a copy of the state as it is now, in the processor's memory. See `wait`."""
        self.wait()
        state = {each.name: _copied(getattr(checkpoint, each.name)) for each in fields(LearnerState)}
        self._running = self._thread.submit(write_checkpoint, self.path, replace(checkpoint, **state))

    def wait(self) -> None:
        """Until the last one is on the disk. Raises what writing it raised, `InputError` where the disk is full."""
        if self._running is not None:
            futures.wait([self._running])  # interrupted here, it is still waited for at the end
            written, self._running = self._running, None
            written.result()

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
