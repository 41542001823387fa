from __future__ import annotations

import sys

import pytest
import torch

from bustle.training.progress_bar import TrainingProgress, duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (7500, "2 h 05 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_program_without_standard_error_trains_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    shown = TrainingProgress("demo", epochs=2)
    with shown.bar(0, batches=2) as on_batch:
        on_batch(torch.tensor(0.5))
        on_batch(torch.tensor(0.4))
    shown.print_line({"epoch": 1, "val_dice": 0.5}, kept=True)
