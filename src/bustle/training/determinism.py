"""The same seed gives the same numbers: seeds by epoch, the generators' states, deterministic algorithms."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch


def seed_epoch(seed: int, epoch: int) -> None:
    """Seed every generator from (seed, epoch), so that an epoch never depends on what was drawn before it."""
    words = np.random.SeedSequence([seed, epoch]).generate_state(3)
    torch.manual_seed(int(words[0]))
    np.random.seed(int(words[1]))  # noqa: NPY002  (the global state is what third-party code draws from)
    random.seed(int(words[2]))


def random_state() -> dict[str, Any]:
    """The states of all global generators as tensors and plain values."""
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": (str(kind), torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss),
        "python": random.getstate(),
    }


def restore_random_state(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    kind, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))


@contextlib.contextmanager
def keeping_random_state() -> Iterator[None]:
    """Within the block the global generators are ours to seed; afterwards the program draws on where it was."""
    before = random_state()
    try:
        yield
    finally:
        restore_random_state(before)


@contextlib.contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Deterministic algorithms on the processor; on a GPU the fastest, some of which add in varying order."""
    before = (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled())
    benchmark = torch.backends.cudnn.benchmark
    settings: Any = torch.utils.deterministic
    fill = settings.fill_uninitialized_memory
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)
        settings.fill_uninitialized_memory = False  # for debugging only, and it costs time
    else:
        torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = benchmark
        settings.fill_uninitialized_memory = fill
