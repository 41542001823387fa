"""An epoch's figures as scalars of TensorBoard."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bustle.core.files import write_error
from bustle.core.learning_curve import Row


class TensorBoard:
    """Writes rows into `folder`. What an earlier training wrote there from `first_epoch` (from 1) on is void.

    Raises `InputError` where the folder cannot be written to.
    """

    def __init__(self, folder: Path, *, first_epoch: int):
        from torch.utils.tensorboard import SummaryWriter

        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = SummaryWriter(str(folder), purge_step=first_epoch)
        except OSError as error:
            raise write_error(folder, error) from error

    def add(self, row: Row) -> None:
        try:
            for name, value in row.items():
                if name != "epoch" and value is not None:
                    self._writer.add_scalar(name.replace("_", "/", 1), value, row["epoch"])
            self._writer.flush()
        except OSError as error:
            raise write_error(self.folder, error) from error

    def close(self) -> None:
        with contextlib.suppress(OSError):  # every epoch was flushed; an error on its way must stay visible
            self._writer.close()
