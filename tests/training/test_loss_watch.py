from __future__ import annotations

import pytest
import torch

from bustle.core.errors import InputError
from bustle.losses.build import LossValues
from bustle.training.loss_watch import CHECK_EVERY, LossWatch


def values(total: float, term: float = 0.0) -> LossValues:
    return LossValues(total=torch.tensor(total), terms={"dice": torch.tensor(term)})


def watch(*, synchronous: bool) -> LossWatch:
    return LossWatch(epoch=3, synchronous=synchronous)


def test_means_are_over_cases_not_batches() -> None:
    losses = watch(synchronous=True)
    losses.add(values(1.0, 0.2), case_ids=["a", "b", "c"])
    losses.add(values(5.0, 0.6), case_ids=["d"])
    assert losses.means() == pytest.approx({"loss": 2.0, "dice": 0.3})


def test_the_first_bad_batch_is_named_at_once_or_a_little_later() -> None:
    message = r"loss is inf in epoch 3, batch 2 \(a, b, c and 1 more\)"
    losses = watch(synchronous=True)
    losses.add(values(1.0), case_ids=["x"])
    with pytest.raises(InputError, match=message):
        losses.add(values(float("inf")), case_ids=["a", "b", "c", "d"])
    losses = watch(synchronous=False)
    losses.add(values(1.0), case_ids=["x"])
    losses.add(values(float("inf")), case_ids=["a", "b", "c", "d"])
    for _ in range(CHECK_EVERY - 3):
        losses.add(values(1.0), case_ids=["x"])
    with pytest.raises(InputError, match=message):
        losses.add(values(1.0), case_ids=["x"])
    losses = watch(synchronous=False)
    losses.add(values(float("nan")), case_ids=["x"])
    with pytest.raises(InputError, match=r"batch 1 \(x\)"):
        losses.means()


def test_a_bad_loss_is_told_before_the_network_learns_from_it() -> None:
    losses = watch(synchronous=True)
    losses.add(values(1.0), case_ids=["x"])
    losses.before_update(torch.tensor(2.0), case_ids=["y"])
    with pytest.raises(InputError, match=r"loss is nan in epoch 3, batch 2 \(y\)"):
        losses.before_update(torch.tensor(float("nan")), case_ids=["y"])
    watch(synchronous=False).before_update(torch.tensor(float("nan")), case_ids=["y"])  # looking would wait
