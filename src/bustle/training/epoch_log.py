"""An epoch's figures as scalars of TensorBoard."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

from bustle.core.files import write_error
from bustle.core.learning_curve import Row


class TensorBoard:
    """Writes rows into `folder`. What an earlier training wrote there from `first_epoch` (from 1) on is void.

    The file's name holds the time alone, where TensorBoard's own writer puts the name of the machine too. Raises
    `InputError` where the folder cannot be written to.
    """

    def __init__(self, folder: Path, *, first_epoch: int):
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # type: ignore[attr-defined]
        from tensorboard.summary.writer.record_writer import RecordWriter

        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"events.out.tfevents.{time.time_ns()}"
            self._writer = RecordWriter(file.open("xb"))
            self._write(Event(file_version="brain.Event:2"))
            self._write(Event(session_log=SessionLog(status=SessionLog.START), step=first_epoch))
            self._writer.flush()
        except OSError as error:
            raise write_error(folder, error) from error

    def add(self, row: Row) -> None:
        from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[attr-defined]
        from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[attr-defined]

        values = [
            Summary.Value(tag=name.replace("_", "/", 1), simple_value=value)
            for name, value in row.items()
            if name != "epoch" and value is not None
        ]
        try:
            self._write(Event(summary=Summary(value=values), step=int(row["epoch"] or 0)))
            self._writer.flush()
        except OSError as error:
            raise write_error(self.folder, error) from error

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        self._writer.write(event.SerializeToString())

    def close(self) -> None:
        with contextlib.suppress(OSError):  # every epoch was flushed; an error on its way must stay visible
            self._writer.close()
