"""The training's progress on standard error: a bar per epoch, and a line for each finished one."""

from __future__ import annotations

import sys
import time
from typing import Any

import lightning.pytorch as lightning
from tqdm import tqdm

from bustle.core.progress import redraw_interval
from bustle.training.epoch_end import EpochEnd
from bustle.training.module import TrainingModule


class ProgressBar(lightning.Callback):
    """The bar shows the time to go of the epoch, and behind it that of the whole fold."""

    def __init__(self, title: str, *, epoch_end: EpochEnd):
        self.title = title
        self.epoch_end = epoch_end
        self.epochs = epoch_end.epochs
        self._bar: tqdm | None = None
        self._durations: list[float] = []
        self._started = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        self._started = time.monotonic()
        self._bar = tqdm(
            total=pl_module.steps_per_epoch,
            desc=f"{self.title} epoch {pl_module.epoch + 1}/{self.epochs}",
            unit="batch",
            dynamic_ncols=True,
            mininterval=redraw_interval(),
            leave=False,
        )

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        assert self._bar is not None
        assert isinstance(pl_module, TrainingModule)
        done = batch_idx + 1
        spent = time.monotonic() - self._started
        whole_epoch = self._durations[-1] if self._durations else spent / done * pl_module.steps_per_epoch
        left = max(0.0, whole_epoch - spent) + whole_epoch * (self.epochs - pl_module.epoch - 1)
        postfix = f"all {self.epochs} epochs in {duration(left)}"
        if pl_module.device.type == "cpu":  # reading a loss from an accelerator would wait for it
            postfix = f"loss {float(pl_module.watch.totals[-1]):.3f}, {postfix}"
        self._bar.set_postfix_str(postfix, refresh=False)
        self._bar.update(1)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Runs after `EpochEnd`, which is listed before it and has added the epoch's row."""
        self._close()
        self._durations.append(time.monotonic() - self._started)
        row = self.epoch_end.history[-1]
        number = int(row["epoch"] or 0)
        names = {
            "train_loss": "loss",
            "val_loss": "val loss",
            "val_dice": "Dice",
            "val_auc": "AUC",
            "val_clear": "clear",
        }
        values = [f"{text} {row[name]:.4f}" for name, text in names.items() if row.get(name) is not None]
        kept = "kept" if self.epoch_end.selection.best_epoch == number else "    "
        left = self._durations[-1] * (self.epochs - number)
        timing = f"{duration(self._durations[-1])}, about {duration(left)} to go" if left else "done"
        tqdm.write(f"{self.title} epoch {number}/{self.epochs}  {'  '.join(values)}  {kept}  {timing}", sys.stderr)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def duration(seconds: float) -> str:
    """Seconds as a person says them: 42 s, 7 min, 2 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
