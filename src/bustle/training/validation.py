"""Scores on the validation part that choose the epoch, computed on the network's grid while training.

They serve that choice only: reported figures always come from prediction files at the protocol's resolution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from bustle.core.learning_curve import Row
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.core.types import Batch
from bustle.evaluation.positive_class import positive_class


@dataclass(frozen=True)
class ValidationScores:
    """`dice`: mean over the cases with a lesion; `auc`: the positive class against the rest; None where undefined.

    `accuracy`: the part of the labelled cases whose most probable class is theirs. `clear`: the part of the images or
    patches without a lesion in which none is drawn.
    """

    loss: float
    dice: float | None
    auc: float | None
    accuracy: float | None
    clear: float | None

    @classmethod
    def of_row(cls, row: Row) -> ValidationScores:
        """As the row of `metrics.csv` has them, in columns `val_…`."""
        return cls(**{each.name: row.get(f"val_{each.name}") for each in fields(cls)})  # type: ignore[arg-type]

    def weighted_mean(self, weights: Mapping[str, float]) -> float | None:
        """The mean of the named values that are defined, by their weights; None where none is."""
        defined = {name: weight for name, weight in weights.items() if getattr(self, name) is not None}
        if not defined:
            return None
        return sum(weight * getattr(self, name) for name, weight in defined.items()) / sum(defined.values())


@dataclass
class ValidationTally:
    """Gathers the outputs of an epoch's validation batches; nothing leaves the device before `scores`."""

    meaning: MaskMeaning | None
    classes: Sequence[str]
    _losses: list[Tensor] = field(default_factory=list)
    _sizes: list[int] = field(default_factory=list)
    _dice: list[Tensor] = field(default_factory=list)
    _clear: list[Tensor] = field(default_factory=list)
    _positive: list[Tensor] = field(default_factory=list)
    _truth: list[Tensor] = field(default_factory=list)
    _right: list[Tensor] = field(default_factory=list)

    def add(self, output: MultiTaskOutput, batch: Batch, *, loss: Tensor) -> None:
        self._losses.append(loss.detach().float())
        self._sizes.append(len(batch.case_ids))
        if output.mask_logits is not None and self.meaning is not None:
            channels = self.meaning.channel_probabilities(output.mask_logits)
            drawn, truth = self.meaning.lesion_mask(channels.unbind(dim=1)), batch.lesion_mask > 0
            self._dice.append(torch.where(batch.has_mask, dice_per_case(drawn, truth), torch.nan))
            without_lesion = batch.has_mask & ~truth.flatten(1).any(dim=1)
            self._clear.append(torch.where(without_lesion, (~drawn.flatten(1).any(dim=1)).float(), torch.nan))
        if output.class_logits is not None:
            index = self.classes.index(positive_class(self.classes))
            positive = output.class_logits.float().softmax(dim=1)[:, index]
            self._positive.append(torch.where(batch.has_label, positive, torch.nan))
            self._truth.append(batch.label == index)
            right = (output.class_logits.argmax(dim=1) == batch.label).float()
            self._right.append(torch.where(batch.has_label, right, torch.nan))

    def scores(self) -> ValidationScores:
        loss = np.average(torch.stack(self._losses).cpu().numpy(), weights=self._sizes)
        auc = None
        if self._positive:
            positive, truth = torch.cat(self._positive).cpu().numpy(), torch.cat(self._truth).cpu().numpy()
            auc = area_under_roc(positive[~np.isnan(positive)], truth[~np.isnan(positive)])
        return ValidationScores(
            loss=float(loss),
            dice=_mean_of_defined(self._dice),
            auc=auc,
            accuracy=_mean_of_defined(self._right),
            clear=_mean_of_defined(self._clear),
        )


def _mean_of_defined(parts: Sequence[Tensor]) -> float | None:
    """The mean of what is not NaN; None where there is nothing."""
    values = torch.cat(list(parts)).cpu().numpy() if parts else np.array([np.nan])
    return None if np.isnan(values).all() else float(np.nanmean(values))


def dice_per_case(predicted: Tensor, truth: Tensor) -> Tensor:
    """Dice of boolean masks `B *S`; NaN for a case without a lesion, which says nothing about overlap."""
    predicted, truth = predicted.flatten(1), truth.flatten(1)
    overlap = (predicted & truth).sum(dim=1)
    dice = 2 * overlap / (predicted.sum(dim=1) + truth.sum(dim=1)).clamp(min=1)
    return torch.where(truth.any(dim=1), dice, torch.nan)


def area_under_roc(scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> float | None:
    """The probability that a positive scores above a negative, ties half; None without one of them."""
    positives = int(truth.sum())
    negatives = truth.size - positives
    if not positives or not negatives:
        return None
    ranks = rankdata(scores)
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))
