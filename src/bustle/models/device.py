"""Where a network computes, and in which memory format its tensors lie; torch is imported only when called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bustle.core.errors import InputError

if TYPE_CHECKING:
    import torch


def find_device(device: str) -> torch.device:
    """`auto` takes a CUDA device where there is one. Raises `InputError` when `cuda` is asked for in vain."""
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError("no CUDA device was found", remedy="use --device cpu, or install a CUDA build of PyTorch")
    return torch.device(device)


def channels_last_format(ndim: int) -> torch.memory_format:
    """The memory format with channels last for tensors `B C H W` or `B C D H W`."""
    import torch

    return torch.channels_last if ndim == 4 else torch.channels_last_3d
