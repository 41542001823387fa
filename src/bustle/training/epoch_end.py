"""What happens when an epoch has finished: choose, save, log, and stop when it is time."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning

from bustle.core.files import write_error, write_text
from bustle.training.checkpoint import (
    random_state,
    read_checkpoint,
    restore_random_state,
    write_checkpoint,
    write_weights,
)
from bustle.training.module import TrainingModule
from bustle.training.selection import Selection

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

CHECKPOINT, WEIGHTS = Path("checkpoints") / "last.ckpt", "best.safetensors"
"""A fold's (or stage's) state after its last finished epoch, and the network of its chosen epoch."""

Row = dict[str, float | int | None]


class EpochEnd(lightning.Callback):
    """Writes a fold's `best.safetensors`, `checkpoints/last.ckpt`, `metrics.csv` and `tensorboard/`.

    In this order: whatever moment the process dies at, the checkpoint is that of a finished epoch, and repeating
    the epoch after it writes the same files again.
    """

    def __init__(self, folder: Path, *, selection: Selection, epochs: int):
        self.folder = folder
        self.selection = selection
        self.epochs = epochs
        self.history: list[Row] = []
        self._board: SummaryWriter | None = None
        self._started = 0.0

    @property
    def checkpoint(self) -> Path:
        return self.folder / CHECKPOINT

    def restore(self, module: TrainingModule, trainer: lightning.Trainer) -> None:
        """Bring everything to where the checkpoint left it."""
        state = read_checkpoint(self.checkpoint)
        module.network.load_state_dict(state["network"])
        module.loss.load_state_dict(state["loss"])
        module.optimizer.load_state_dict(state["optimizer"])
        if module.average is not None:
            module.average.load_state_dict(state["average"])
        trainer.precision_plugin.load_state_dict(state["precision"])
        restore_random_state(state["random_state"])
        self.selection.load_state_dict(state["selection"])
        self.history = state["history"]
        module.first_epoch = len(self.history)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = self.folder / "tensorboard"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._board = SummaryWriter(str(folder), purge_step=len(self.history) + 1)
        except OSError as error:
            raise write_error(folder, error) from error

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        module = pl_module
        module.loss.finish_epoch()
        self.history.append(self._row(module))
        if self.selection.offer(module.scores):
            # One entry only: safetensors writes several in random order, and equal weights are to be equal files.
            metadata = {"epoch": str(self.selection.epoch)}
            write_weights(self.folder / WEIGHTS, module.judged_network, metadata=metadata)
        finished = len(self.history) == self.epochs or self.selection.exhausted
        write_checkpoint(self.checkpoint, self._state(module, trainer, finished=finished))
        write_rows(self.folder / "metrics.csv", self.history)
        self._log(self.history[-1])
        trainer.should_stop = finished

    def _row(self, module: TrainingModule) -> Row:
        means = module.watch.means()
        row: Row = {"epoch": len(self.history) + 1, "lr": float(module.optimizer.param_groups[0]["lr"])}
        row |= {f"train_{name}": value for name, value in means.items()}
        if module.scores is not None:
            row |= {f"val_{name}": value for name, value in dataclasses.asdict(module.scores).items()}
        row["seconds"] = round(time.monotonic() - self._started, 3)
        return row

    def _state(self, module: TrainingModule, trainer: lightning.Trainer, *, finished: bool) -> dict[str, Any]:
        """The schedule and the batches are functions of the epoch; everything else that has state is here."""
        return {
            "finished": finished,
            "epoch": len(self.history),
            "network": module.network.state_dict(),
            "average": None if module.average is None else module.average.state_dict(),
            "loss": module.loss.state_dict(),
            "optimizer": module.optimizer.state_dict(),
            "precision": trainer.precision_plugin.state_dict(),
            "selection": self.selection.state_dict(),
            "random_state": random_state(),
            "history": self.history,
        }

    def _log(self, row: Mapping[str, Any]) -> None:
        assert self._board is not None
        try:
            for name, value in row.items():
                if name != "epoch" and value is not None:
                    self._board.add_scalar(name.replace("_", "/", 1), value, row["epoch"])
            self._board.flush()
        except OSError as error:
            raise write_error(self.folder / "tensorboard", error) from error

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if self._board is not None:
            with contextlib.suppress(OSError):  # every epoch was flushed; an error on its way must stay visible
                self._board.close()


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV with a header; None is an empty cell."""
    text = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)  # an earlier version may have logged fewer
    writer = csv.DictWriter(text, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
