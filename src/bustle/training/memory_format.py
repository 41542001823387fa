"""In which order a training holds the numbers of its images and weights in memory."""

from __future__ import annotations

import torch

from bustle.core.recipe import TrainingSection
from bustle.models.device import channels_last_format


def memory_format(training: TrainingSection, *, ndim: int) -> torch.memory_format:
    """That of tensors `B C H W` or `B C D H W`; `auto` must have been decided (`fastest_form`)."""
    if training.channels_last == "auto":
        raise ValueError("auto is no memory format to compute in")
    return channels_last_format(ndim) if training.channels_last else torch.contiguous_format
