"""One update with the semi-supervised terms of MultiMix for cases that lack a class or a mask.

Haque, Imran, Wang, Terzopoulos, "MultiMix", ISBI 2021, with the weights of its released code. Works with any network
that gives a mask and classes, and any losses. Cases without a class: the class that the network is confident of on
the case as it is becomes the label of a strongly augmented copy. Cases without a mask: the Kullback-Leibler
divergence between the mean predicted lesion map of the cases with a mask and theirs. On a batch where every case has
both, it is the plain step.

Own choices: the code's divergence is a softmax over a single channel and therefore always zero; here it is that of
lesion against background in every pixel, and between means over cases, because the two sets differ in number. The
strong augmentation has the code's operations that work on normalised images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.types import Batch
from bustle.data.transforms.torch_executor import on_device
from bustle.losses.build import LossValues
from bustle.losses.outputs import class_logits_of
from bustle.training.both_tasks import both_tasks_of
from bustle.training.strong_augmentation import strongly_augmented

if TYPE_CHECKING:
    from bustle.losses.build import CombinedLoss

EPSILON = 1e-6


@dataclass(frozen=True, kw_only=True)
class MultiMixStep:
    """`threshold` is the confidence from which a pseudo class counts.

    `class_weight` and `mask_weight` multiply the two terms, which are added to the recipe's losses.
    """

    learns_unlocated: ClassVar[bool] = True

    threshold: float = 0.7
    class_weight: float = 0.25
    mask_weight: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError("threshold must lie between 0 and 1")
        if self.class_weight < 0 or self.mask_weight < 0:
            raise ValueError("class_weight and mask_weight must not be negative")

    def __call__(
        self, batch: Batch, *, network: nn.Module, loss: CombinedLoss, update: Callable[[Tensor], None]
    ) -> LossValues:
        output = network(batch.image)
        tasks = both_tasks_of(output, loss.setting, step="multimix")
        values = loss(output, batch)
        pseudo_class = mask_divergence = values.total.new_zeros(())
        labelled, drawn = torch.stack([batch.has_label, batch.has_mask]).cpu()  # the only wait for a GPU
        if not labelled.all():
            pseudo_class = self._pseudo_class(batch, tasks.class_logits, network, unlabelled=_places(~labelled))
        if drawn.any() and not drawn.all():
            maps = tasks.meaning.lesion_map(tasks.mask_logits)
            with_mask, without = (on_device(_places(flags), maps.device) for flags in (drawn, ~drawn))
            mask_divergence = divergence(maps[with_mask].mean(dim=0), maps[without].mean(dim=0))
        total = values.total + self.class_weight * pseudo_class + self.mask_weight * mask_divergence
        update(total)
        terms = values.terms | {"pseudo_class": pseudo_class, "mask_divergence": mask_divergence}
        return LossValues(total=total, terms=terms)

    def _pseudo_class(self, batch: Batch, class_logits: Tensor, network: nn.Module, *, unlabelled: Tensor) -> Tensor:
        """Cross entropy on strong copies of the cases `unlabelled`, mean over them; the unsure count as zero."""
        if len(unlabelled) == 1:
            unlabelled = unlabelled.repeat(2)  # batch norm needs two cases: two copies of the same
        unlabelled = on_device(unlabelled, class_logits.device)
        confidence, pseudo = class_logits[unlabelled].detach().float().softmax(dim=1).max(dim=1)
        strong = network(strongly_augmented(batch.image[unlabelled]))
        per_case = F.cross_entropy(class_logits_of(strong, loss="multimix").float(), pseudo, reduction="none")
        return (per_case * (confidence >= self.threshold)).mean()


def _places(flags: Tensor) -> Tensor:
    """Where flags on the processor are set."""
    return torch.nonzero(flags).flatten()


def divergence(first: Tensor, second: Tensor) -> Tensor:
    """KL(first ‖ second) of probabilities of lesion against background, mean over pixels."""
    p, q = first.clamp(EPSILON, 1 - EPSILON), second.clamp(EPSILON, 1 - EPSILON)
    return (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()


STEP = MultiMixStep
