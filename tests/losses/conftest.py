from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from bustle.core.types import Batch


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    """Batches of any masks and labels; a label of -1 and a `masked` of False say that it is absent."""

    def make(lesion: torch.Tensor, labels: list[int], masked: list[bool] | None = None) -> Batch:
        count = len(labels)
        no = torch.zeros(count, dtype=torch.bool)
        return Batch(
            case_ids=[str(i) for i in range(count)],
            image=torch.zeros(count, 1, *lesion.shape[1:]),
            lesion_mask=lesion.long(),
            gland_mask=torch.zeros(lesion.shape),
            label=torch.tensor(labels),
            has_mask=torch.tensor(masked or [True] * count),
            has_gland=no,
            has_box=no,
            has_label=torch.tensor([label >= 0 for label in labels]),
        )

    return make


@pytest.fixture(autouse=True)
def _double(double_precision: None) -> None:
    pass
