"""Keeps an epoch's losses and stops the training when one is not a finite number."""

from __future__ import annotations

import torch
from torch import Tensor

from bustle.core.errors import InputError
from bustle.losses.build import LossValues
from bustle.training.processes import ALONE, Share

CHECK_EVERY = 25
"""On an accelerator the losses are looked at only after so many batches, because looking waits for the device."""

NOT_FINITE_REMEDY = (
    "lower the learning rate (--set optimizer.lr=…), clip the gradient (--set training.clip_gradient_norm=1) "
    "or use --set training.precision=fp32"
)


class LossWatch:
    """The losses of one epoch (from 1), weighted by the batches' sizes when averaged.

    `synchronous`: every loss is looked at before its update is made.
    """

    def __init__(self, *, epoch: int, synchronous: bool):
        self.epoch = epoch
        self.synchronous = synchronous
        self.totals: list[Tensor] = []
        self.terms: list[dict[str, Tensor]] = []
        self.case_ids: list[list[str]] = []
        self._seen = 0

    def before_update(self, total: Tensor, *, case_ids: list[str]) -> None:
        """Raises `InputError` for a loss that would spoil the network; where looking waits, `add` looks later."""
        if self.synchronous and not torch.isfinite(total):
            raise self._not_finite(len(self.totals), value=float(total.detach()), case_ids=case_ids)

    def add(self, values: LossValues, *, case_ids: list[str]) -> None:
        self.totals.append(values.total.detach().float())
        self.terms.append({name: term.detach().float() for name, term in values.terms.items()})
        self.case_ids.append(case_ids)
        if self.synchronous or len(self.totals) - self._seen >= CHECK_EVERY:
            self._look()

    def means(self, share: Share = ALONE) -> dict[str, float]:
        """The mean `loss` and term losses over the epoch's cases of all processes.

        Raises `InputError` for one that is not finite.
        """
        self._look()
        sizes = torch.tensor([float(len(ids)) for ids in self.case_ids])
        columns = {"loss": self.totals} | {name: [t[name] for t in self.terms] for name in self.terms[0]}
        sums = torch.stack([(torch.stack(values).cpu() * sizes).sum() for values in columns.values()])
        together = share.sums(torch.cat([sums, sizes.sum()[None]]).to(self.totals[0].device)).cpu()
        return dict(zip(columns, (together[:-1] / together[-1]).tolist(), strict=True))

    def _look(self) -> None:
        unseen = torch.stack(self.totals[self._seen :]) if self._seen < len(self.totals) else torch.zeros(0)
        bad = (~torch.isfinite(unseen)).nonzero().flatten().tolist()
        if bad:
            place = self._seen + bad[0]
            raise self._not_finite(place, value=float(self.totals[place]), case_ids=self.case_ids[place])
        self._seen = len(self.totals)

    def _not_finite(self, place: int, *, value: float, case_ids: list[str]) -> InputError:
        named = ", ".join(case_ids[:3]) + (f" and {len(case_ids) - 3} more" if len(case_ids) > 3 else "")
        return InputError(
            f"the loss is {value} in epoch {self.epoch}, batch {place + 1} ({named}); "
            "training has stopped and the checkpoint of the last good epoch is kept",
            remedy=NOT_FINITE_REMEDY,
        )
