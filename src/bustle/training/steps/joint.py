"""One update of all tasks together on the weighted sum of their losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from bustle.core.types import Batch

if TYPE_CHECKING:
    from bustle.losses.build import CombinedLoss, LossValues


@dataclass(frozen=True, kw_only=True)
class JointStep:
    """Forward, losses, one update."""

    learns_unlocated: ClassVar[bool] = False

    def __call__(
        self, batch: Batch, *, network: nn.Module, loss: CombinedLoss, update: Callable[[Tensor], None]
    ) -> LossValues:
        values = loss(network(batch.image), batch)
        update(values.total)
        return values


STEP = JointStep
