"""The training's progress on standard error: a bar per epoch, and a line for each finished one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from torch import Tensor

from bustle.core.learning_curve import Row
from bustle.core.progress import announce, bar_class, redraw_interval, shows_bars

SHOWN = {"train_loss": "loss", "val_loss": "val loss", "val_dice": "Dice", "val_auc": "AUC", "val_clear": "clear"}


class TrainingProgress:
    """The bar shows the time to go of the epoch, and behind it that of the whole training of `epochs` epochs."""

    def __init__(self, title: str, *, epochs: int):
        self.title = title
        self.epochs = epochs
        self._seconds: float | None = None  # that the last epoch took

    @contextlib.contextmanager
    def bar(self, epoch: int, *, batches: int) -> Iterator[Callable[[Tensor], None]]:
        """Shows a bar for `epoch` (from 0), which each call with a batch's loss advances."""
        started = time.monotonic()
        with bar_class()(
            total=batches,
            desc=f"{self.title} epoch {epoch + 1}/{self.epochs}",
            unit="batch",
            dynamic_ncols=True,
            mininterval=redraw_interval(),
            leave=False,
            disable=not shows_bars(),
        ) as bar:

            def on_batch(loss: Tensor) -> None:
                spent = time.monotonic() - started
                whole_epoch = self._seconds or spent / (bar.n + 1) * batches
                left = max(0.0, whole_epoch - spent) + whole_epoch * (self.epochs - epoch - 1)
                postfix = f"all {self.epochs} epochs in {duration(left)}"
                if loss.device.type == "cpu":  # reading a loss from an accelerator would wait for it
                    postfix = f"loss {float(loss):.3f}, {postfix}"
                bar.set_postfix_str(postfix, refresh=False)
                bar.update(1)

            yield on_batch
        self._seconds = time.monotonic() - started

    def print_line(self, row: Row, *, kept: bool) -> None:
        """One line about a finished epoch, from its row of `metrics.csv`."""
        assert self._seconds is not None
        number = int(row["epoch"] or 0)
        values = [f"{text} {row[name]:.4f}" for name, text in SHOWN.items() if row.get(name) is not None]
        left = self._seconds * (self.epochs - number)
        timing = f"{duration(self._seconds)}, about {duration(left)} to go" if left else "done"
        mark = "kept" if kept else "    "
        announce(f"{self.title} epoch {number}/{self.epochs}  {'  '.join(values)}  {mark}  {timing}")


def duration(seconds: float) -> str:
    """Seconds as a person says them: 42 s, 7 min, 2 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
