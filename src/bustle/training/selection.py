"""Which epoch is kept, and when training stops early."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bustle.core.errors import InputError
from bustle.core.recipe import Monitor
from bustle.training.validation import ValidationScores


@dataclass(frozen=True)
class SelectionState:
    """The best value so far, its epoch and the last one; epochs count from 1, 0 is before the first."""

    best: float | None = None
    best_epoch: int = 0
    epoch: int = 0


@dataclass
class Selection:
    """The first epoch with the best monitored value is kept; without validation, the last epoch.

    `monitor` and `patience` are those of the recipe's training section.
    """

    monitor: Monitor | Mapping[str, float]
    patience: int | None
    state: SelectionState = SelectionState()

    @property
    def best_epoch(self) -> int:
        return self.state.best_epoch

    def offer(self, scores: ValidationScores | None) -> bool:
        """Take the next epoch's scores; True if this epoch is now the one to keep."""
        epoch = self.state.epoch + 1
        if scores is None:
            self.state = SelectionState(None, epoch, epoch)
            return True
        gain = monitored_gain(self.monitor, scores)
        if gain is None:
            raise InputError(
                f"the validation part has nothing to measure '{self.monitor}' with",
                remedy="choose another --set training.monitor=loss|dice|auc|accuracy, or a larger validation part",
            )
        if self.state.best is not None and gain <= self.state.best:
            self.state = replace(self.state, epoch=epoch)
            return False
        self.state = SelectionState(gain, epoch, epoch)
        return True

    @property
    def exhausted(self) -> bool:
        return self.patience is not None and self.state.epoch - self.best_epoch >= self.patience


def monitored_gain(monitor: Monitor | Mapping[str, float], scores: ValidationScores) -> float | None:
    """The monitored value, of a loss with its sign changed: the higher the better. None where it is undefined."""
    return -scores.loss if monitor == "loss" else scores.weighted_mean(monitor_weights(monitor))


def monitor_weights(monitor: Monitor | Mapping[str, float]) -> Mapping[str, float]:
    """What the values of the validation part count in a monitored value other than the loss."""
    if isinstance(monitor, Mapping):
        return monitor
    return {"dice": 1.0, "auc": 1.0} if monitor == "score" else {monitor: 1.0}
