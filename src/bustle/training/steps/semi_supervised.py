"""One update with pseudo masks for the cases that have a class but no mask (LA-Net, eq. 7, Algorithm 1).

Works with any network that gives a mask and classes, and any losses: a pseudo mask enters them as if it had been
drawn, only that it counts less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor, nn

from bustle.core.types import Batch
from bustle.training.both_tasks import BothTasks, both_tasks_of

if TYPE_CHECKING:
    from bustle.losses.build import CombinedLoss, LossValues


@dataclass(frozen=True, kw_only=True)
class SemiSupervisedStep:
    """`threshold` is the paper's τ, `weight` its α.

    The loss over masks is L_w + α L_wo, the mean over the drawn ones and α times that over the pseudo masks: many
    pseudo masks do not thin out a few drawn ones.

    `gate`: the probability that must exceed the threshold is that of the case's own class (`true_class`) or of the
    most probable one (`argmax`); cases without a class are judged by the latter.
    """

    learns_unlocated: ClassVar[bool] = True

    threshold: float = 0.8
    weight: float = 0.1
    gate: Literal["true_class", "argmax"] = "true_class"

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1 or not 0 <= self.weight <= 1:
            raise ValueError("threshold and weight must lie between 0 and 1")

    def __call__(
        self, batch: Batch, *, network: nn.Module, loss: CombinedLoss, update: Callable[[Tensor], None]
    ) -> LossValues:
        output = network(batch.image)
        tasks = both_tasks_of(output, loss.setting, step="semi_supervised")
        values = loss(output, self.with_pseudo_masks(batch, tasks))
        update(values.total)
        return values

    @torch.no_grad()
    def with_pseudo_masks(self, batch: Batch, tasks: BothTasks) -> Batch:
        """The batch in which confident predictions stand in for missing masks; drawn masks stay as they are."""
        probability = tasks.class_logits.float().softmax(dim=1)
        confidence = probability.amax(dim=1)
        if self.gate == "true_class":
            of_label = probability.gather(1, batch.label.clamp_min(0).unsqueeze(1)).squeeze(1)
            confidence = torch.where(batch.has_label, of_label, confidence)
        accepted = ~batch.has_mask & (confidence > self.threshold)
        channels = tasks.meaning.channel_probabilities(tasks.mask_logits)
        pseudo = tasks.meaning.lesion_mask(channels.unbind(dim=1)).to(batch.lesion_mask.dtype)
        per_case = (-1, *[1] * (batch.lesion_mask.ndim - 1))
        return replace(
            batch,
            lesion_mask=torch.where(accepted.view(per_case), pseudo, batch.lesion_mask),
            has_mask=batch.has_mask | accepted,
            mask_weight=self._mask_weight(drawn=batch.has_mask, accepted=accepted),
        )

    def _mask_weight(self, *, drawn: Tensor, accepted: Tensor) -> Tensor:
        """The weights (B) with which a mean over all masks is L_w + α L_wo; without drawn ones it is α L_wo."""
        masks, of_drawn, of_pseudo = (drawn | accepted).sum(), drawn.sum(), accepted.sum()
        return drawn * masks / of_drawn.clamp_min(1) + self.weight * accepted * masks / of_pseudo.clamp_min(1)


STEP = SemiSupervisedStep
