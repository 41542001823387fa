"""Where a network computes, on what, and in which memory format; torch is imported only when called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bustle.core.errors import InputError
from bustle.core.run_provenance import Hardware

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


def hardware() -> Hardware:
    """Processor, GPUs and the number of threads that torch computes with."""
    import platform

    import torch

    gpus = tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    return Hardware(processor=_processor() or platform.processor(), threads=torch.get_num_threads(), gpus=gpus)


def _processor() -> str | None:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)
