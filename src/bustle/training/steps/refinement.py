"""Iterative feature refinement: the network learns from every pass that it makes over a batch (C_MSVNet_Iter).

Zhou et al., Medical Image Analysis 2021, Algorithm 1. Works with any network that gives a mask, of images or volumes,
and any losses. How many passes there are, and what each is shown, is the recipe's `model.refinements`; without any it
is the plain step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from torch import Tensor

from bustle.core.types import Batch
from bustle.models.refinement import Refined

if TYPE_CHECKING:
    from bustle.losses.build import CombinedLoss, LossValues


@dataclass(frozen=True, kw_only=True)
class RefinementStep:
    """`update`: one after the losses of every pass (`per_pass`, as printed), or one on their sum (`once`).

    Gives the values of the last pass, whose output is the network's.
    """

    learns_unlocated: ClassVar[bool] = False

    update: Literal["per_pass", "once"] = "per_pass"

    def __call__(
        self, batch: Batch, *, network: Refined, loss: CombinedLoss, update: Callable[[Tensor], None]
    ) -> LossValues:
        output = network.network(batch.image)
        values = loss(output, batch)
        total = values.total
        for _ in range(network.refinements):
            shown = network.next_input(batch.image, output)
            if self.update == "per_pass":
                update(total)
            output = network.network(shown)
            values = loss(output, batch)
            total = values.total if self.update == "per_pass" else total + values.total
        update(total)
        return values


STEP = RefinementStep
