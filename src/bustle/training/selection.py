"""Which epoch is kept, and when training stops early."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bustle.core.errors import InputError
from bustle.core.recipe import Monitor
from bustle.training.validation import ValidationScores


@dataclass
class Selection:
    """The first epoch with the best monitored value is kept; without validation, the last epoch.

    `monitor` and `patience` are those of the recipe's training section. Epochs count from 1.
    """

    monitor: Monitor | Mapping[str, float]
    patience: int | None
    best: float | None = None
    best_epoch: int = 0
    epoch: int = 0

    def offer(self, scores: ValidationScores | None) -> bool:
        """Take the next epoch's scores; True if this epoch is now the one to keep."""
        self.epoch += 1
        if scores is None:
            self.best_epoch = self.epoch
            return True
        if self.monitor == "loss":
            gain: float | None = -scores.loss
        else:
            gain = scores.weighted_mean(monitor_weights(self.monitor))
        if gain is None:
            raise InputError(
                f"the validation part has nothing to measure '{self.monitor}' with",
                remedy="choose another --set training.monitor=loss|dice|auc|accuracy, or a larger validation part",
            )
        if self.best is not None and gain <= self.best:
            return False
        self.best, self.best_epoch = gain, self.epoch
        return True

    @property
    def exhausted(self) -> bool:
        return self.patience is not None and self.epoch - self.best_epoch >= self.patience

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.best_epoch, self.epoch = state["best"], state["best_epoch"], state["epoch"]


def monitor_weights(monitor: Monitor | Mapping[str, float]) -> Mapping[str, float]:
    """What the values of the validation part count in a monitored value other than the loss."""
    if isinstance(monitor, Mapping):
        return monitor
    return {"dice": 1.0, "auc": 1.0} if monitor == "score" else {monitor: 1.0}
