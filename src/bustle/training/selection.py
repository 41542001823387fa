"""Which epoch is kept, and when training stops early."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bustle.core.errors import InputError
from bustle.training.validation import ValidationScores


@dataclass
class Selection:
    """The first epoch with the best monitored value is kept; without validation, the last epoch.

    `patience` epochs without a better value end the training. Epochs count from 1.
    """

    monitor: str
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
        value = getattr(scores, self.monitor)
        if value is None:
            raise InputError(
                f"the validation part has nothing to measure '{self.monitor}' with",
                remedy="choose another --set training.monitor=score|dice|auc|loss, or a larger validation part",
            )
        gain = -value if self.monitor == "loss" else value
        if self.best is not None and gain <= self.best:
            return False
        self.best, self.best_epoch = gain, self.epoch
        return True

    @property
    def exhausted(self) -> bool:
        return self.patience is not None and self.epoch - self.best_epoch >= self.patience

    def state_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key not in ("monitor", "patience")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.best_epoch, self.epoch = state["best"], state["best_epoch"], state["epoch"]
